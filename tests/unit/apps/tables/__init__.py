"""Mirrors nextcloud_mcp.apps.tables."""
