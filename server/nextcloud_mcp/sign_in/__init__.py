"""Signs a person in as an MCP client would, for a token on the command line. Nothing is stored."""
