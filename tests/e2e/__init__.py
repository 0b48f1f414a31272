"""End-to-end tests: a real MCP client, the server in both modes, Keycloak and Nextcloud."""
