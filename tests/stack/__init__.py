"""Tests of the command that starts the chain."""
