"""Mirrors nextcloud_mcp.apps.sharing."""
