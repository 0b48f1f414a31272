"""The MCP conformance suite, run against our server and the realm."""
