"""Mirrors nextcloud_mcp.apps.cookbook."""
