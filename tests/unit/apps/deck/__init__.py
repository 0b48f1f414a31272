"""Mirrors nextcloud_mcp.apps.deck."""
