"""Mirrors nextcloud_mcp.apps.notes."""
