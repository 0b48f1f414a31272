"""A thin MCP server: Nextcloud for AI assistants, signed in through Keycloak."""
