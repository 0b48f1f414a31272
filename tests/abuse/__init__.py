"""Abuse tests: attacks on the servers with and without a token, under the shipped memory limit."""
