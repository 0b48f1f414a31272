"""The pages that people see when they open this server in a browser; MCP clients never get one.

A page is a module that makes its values, a template of the same name in `templates/`, and its texts in
`messages/en/` and `messages/de/`. `routes.py` mounts the pages.
"""
