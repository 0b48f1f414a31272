"""Tests of the command `nextcloud-mcp clients`."""
