"""Mirrors nextcloud_mcp.apps.calendar.ical."""
