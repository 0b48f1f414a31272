"""Mirrors nextcloud_mcp.apps.calendar.tools."""
