"""What an MCP client sees: one module an app, one function a tool."""
