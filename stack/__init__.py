"""Starts Keycloak, Nextcloud and the MCP servers on this machine, for the demo and the tests; not shipped."""
