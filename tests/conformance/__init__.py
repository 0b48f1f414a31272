"""The MCP conformance suite, run on the server and the realm."""
