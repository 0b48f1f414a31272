"""Mirrors nextcloud_mcp.boundary."""
