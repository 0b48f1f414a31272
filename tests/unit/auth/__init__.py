"""Mirrors nextcloud_mcp.auth."""
