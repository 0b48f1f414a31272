"""The command `nextcloud-mcp clients`: lists the clients that registered themselves, and deletes the unused ones."""
