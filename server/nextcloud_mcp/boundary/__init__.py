"""MCP on one side, plain functions on the other.

A function behind a tool or a resource takes arguments that are right and returns a model or raises an error of
`errors`. All that MCP demands beside that happens here, once: `declaration` says what there is, `arguments` reads what
a caller sent, `call` has what a function is given besides, `record` logs and counts each use, `results` writes what
came of it, `visibility` decides what a list shows, and `server` joins them to the MCP SDK.
"""
