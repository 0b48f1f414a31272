"""Starts the whole chain on this machine: for the demo and for the tests. Never shipped with the server."""
