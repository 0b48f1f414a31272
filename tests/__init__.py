"""Tests of observable behavior."""
