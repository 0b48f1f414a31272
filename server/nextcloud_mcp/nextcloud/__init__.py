"""Nextcloud's HTTP APIs, one module an app; knows neither MCP nor Keycloak."""
