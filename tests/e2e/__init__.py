"""All three together, both modes, through a real MCP client."""
