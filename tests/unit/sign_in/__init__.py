"""Tests of `nextcloud_mcp.sign_in`."""
