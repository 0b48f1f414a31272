"""Mirrors nextcloud_mcp.apps.account."""
