"""Mirrors nextcloud_mcp.apps.activity."""
