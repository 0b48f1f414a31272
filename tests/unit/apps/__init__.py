"""Mirrors nextcloud_mcp.apps."""
