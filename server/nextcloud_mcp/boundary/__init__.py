"""Connect MCP to the functions of the apps.

The function of a tool or resource takes valid arguments, and returns a model or raises an error of `errors`. This
package does what MCP requires besides: `declaration` declares tools, resources and prompts, `arguments` validates
arguments, `call` injects other parameters, `record` logs and counts each use, `results` builds results, `visibility`
filters lists, and `server` connects them to the MCP SDK.
"""
