"""Mirrors nextcloud_mcp.apps.files.tools."""
