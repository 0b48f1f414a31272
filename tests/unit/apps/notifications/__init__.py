"""Mirrors nextcloud_mcp.apps.notifications."""
