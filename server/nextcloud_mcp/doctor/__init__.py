"""`nextcloud-mcp doctor`: checks a deployment as a client would use it, and reports for each step what to fix."""
