"""Mirrors server/nextcloud_mcp/; needs neither Keycloak nor Nextcloud."""
