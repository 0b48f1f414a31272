"""Mirrors nextcloud_mcp.tools."""
