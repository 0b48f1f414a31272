"""How people add this server to their clients, as docs/how-to/connect-a-client.md has it; a test compares the two."""

import base64
import json
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

SERVER_NAME: Final = "nextcloud"
"""The name under which clients list this server."""


class Connection(NamedTuple):
    """How to add this server to one client.

    Attributes:
        id: the key of its texts, and of its place in the page.
        name: the client's name.
        code: what to copy: commands, the content of a file, or this server's URL.
        link: opens the client, which asks whether to add the server; None if the client has no such link.
        is_file: the text before `code` names a file, where it usually names a terminal.
    """

    id: str
    name: str
    code: str
    link: str | None = None
    is_file: bool = False


def connections(url: str, needed_scopes: Sequence[str] = ()) -> list[Connection]:
    """Return how to add the server at `url` to each client.

    Args:
        url: the server's URL.
        needed_scopes: what a client must request that would request all scopes of the realm; empty if it may.
    """
    vs_code = {"name": SERVER_NAME, "type": "http", "url": url}
    cursor = {"mcpServers": {SERVER_NAME: {"url": url}}}
    inspector = f"npx @modelcontextprotocol/inspector --cli {url} --transport http --method tools/list"
    return [
        Connection("claude-desktop", "Claude Desktop", url),
        Connection(
            "claude-code",
            "Claude Code",
            f"claude mcp add --transport http {SERVER_NAME} {url}\nclaude mcp login {SERVER_NAME}",
        ),
        Connection("vs-code", "VS Code", f"code --add-mcp '{json.dumps(vs_code)}'", _vs_code_link(vs_code)),
        Connection("cursor", "Cursor", json.dumps(cursor), _cursor_link(url)),
        Connection("codex", "Codex", f"codex mcp add {SERVER_NAME} --url {url}"),
        Connection("gemini-cli", "Gemini CLI", _gemini(url, needed_scopes), is_file=bool(needed_scopes)),
        Connection("inspector", "MCP Inspector", inspector),
    ]


def _gemini(url: str, needed_scopes: Sequence[str]) -> str:
    """Return a command, or settings with scopes: without them, Gemini CLI requests all scopes of the realm."""
    if not needed_scopes:
        return f"gemini mcp add --transport http {SERVER_NAME} {url}"
    server = {"httpUrl": url, "oauth": {"scopes": list(needed_scopes)}}
    return json.dumps({"mcpServers": {SERVER_NAME: server}})


def _vs_code_link(server: dict[str, str]) -> str:
    """Return VS Code's installation link: the server as JSON, percent-encoded."""
    return f"vscode:mcp/install?{quote(json.dumps(server, separators=(',', ':')), safe='')}"


def _cursor_link(url: str) -> str:
    """Return Cursor's installation link: the name, and the server as JSON in Base64 (its page "MCP Install Links")."""
    config = base64.b64encode(json.dumps({"url": url}, separators=(",", ":")).encode()).decode()
    return f"cursor://anysphere.cursor-deeplink/mcp/install?{urlencode({'name': SERVER_NAME, 'config': config})}"
