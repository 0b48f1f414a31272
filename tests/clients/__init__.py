"""MCP clients that people use, signed in to the real chain: `make clients`."""
