"""Mirrors nextcloud_mcp.pages."""
