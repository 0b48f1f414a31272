"""Tests of the rendered Helm chart; they need no cluster."""
