"""Mirrors nextcloud_mcp.apps.contacts."""
