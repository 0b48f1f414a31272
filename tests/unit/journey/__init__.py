"""Mirrors nextcloud_mcp.journey."""
