"""Mirrors nextcloud_mcp.nextcloud."""
