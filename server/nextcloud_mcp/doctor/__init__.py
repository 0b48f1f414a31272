"""`nextcloud-mcp doctor`: walks the chain as a client would, and says for each step what it saw and what fixes it."""
