"""How a person adds the server to each client, signs in, and uses it; one function a client.

A client that needs a model gets one that does not exist: it still connects to its servers when it starts.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from tests.clients.desk import Desk

NOWHERE: Final = "http://127.0.0.1:9"
"""Nothing listens there."""

RESOURCE_METADATA: Final = "/.well-known/oauth-protected-resource"
ARROW_DOWN: Final = "\x1b[B"
TOOL: Final = "nc_whoami"
HERE: Final = Path(__file__).parent

Driver = Callable[[Desk], None]


def claude_code(desk: Desk) -> None:
    """Claude Code: the tools are listed when a session starts; a call needs a model."""
    desk.run("claude", "mcp", "add", "--transport", "http", "nextcloud", desk.url)
    desk.run("claude", "mcp", "login", "nextcloud", until="Authenticated with")
    model = {"ANTHROPIC_API_KEY": "none", "ANTHROPIC_BASE_URL": NOWHERE, "DISABLE_TELEMETRY": "1"}
    desk.run("claude", "-p", "hello", env=model, until=lambda: desk.recorder.tools > 0)


def codex(desk: Desk) -> None:
    """Codex: adding the server starts the sign-in; the tools are listed when a session starts."""
    desk.run("codex", "mcp", "add", "nextcloud", "--url", desk.url, until="Successfully logged in")
    provider = f'{{ name = "none", base_url = "{NOWHERE}/v1", wire_api = "responses" }}'
    choice = ("-c", f"model_providers.none={provider}", "-c", 'model_provider="none"', "-c", 'model="none"')
    desk.run("codex", "exec", "--skip-git-repo-check", *choice, "hello", until=lambda: desk.recorder.tools > 0)


def gemini(desk: Desk) -> None:
    """Gemini CLI: `/mcp auth` in its terminal.

    It requests all scopes that Keycloak's metadata lists. If the scope of this server is not among them, the server
    refuses the token, and the scopes must be in Gemini's settings. A stored token must
    be deleted first: Gemini does not replace it.
    """
    _sign_in_at_gemini(desk, {}, until=lambda: desk.recorder.tools > 0 or desk.recorder.refused)
    if not desk.recorder.admitted:
        desk.remarks.append("needs `oauth.scopes` in its settings: it requests all scopes that the realm lists")
        scopes = httpx.get(desk.url.replace("/mcp", RESOURCE_METADATA), trust_env=False).json()["scopes_supported"]
        (desk.home / ".gemini" / "mcp-oauth-tokens.json").unlink(missing_ok=True)
        _sign_in_at_gemini(desk, {"oauth": {"scopes": scopes}}, until=lambda: desk.recorder.tools > 0)


def _sign_in_at_gemini(desk: Desk, oauth: dict[str, Any], until: Callable[[], bool]) -> None:
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        "mcpServers": {"nextcloud": {"httpUrl": desk.url, **oauth}},
    }
    _write(desk.home / ".gemini" / "settings.json", settings)
    keys = [("Type your message", "/mcp auth nextcloud\r"), ("want to continue", "\r")]
    environment = {"GEMINI_API_KEY": "none", "GEMINI_CLI_NO_RELAUNCH": "true"}
    desk.run("gemini", keys=keys, env=environment, until=until)


def qwen(desk: Desk) -> None:
    """Qwen Code: `/mcp`, *nextcloud*, *Authenticate* in its terminal.

    It looks for the address to register at only at the root of Keycloak's host, where Keycloak itself has nothing. So
    it gets the client id of the client that is registered by hand.
    """
    desk.remarks.append("needs a client id in its settings: it does not find where to register")
    options = ("--transport", "http", "--oauth-client-id", "mcp-client")
    desk.run("qwen", "mcp", "add", *options, "nextcloud", desk.url)
    _add(
        desk.home / ".qwen" / "settings.json",
        {"security": {"auth": {"selectedType": "openai"}, "folderTrust": {"enabled": False}}},
    )
    marker = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "
    keys = [
        ("Type your message", "/mcp\r"),
        ("Enter to select", "\r"),
        (f"{marker}Reconnect", ARROW_DOWN),
        (f"{marker}Disable", ARROW_DOWN),
        (f"{marker}Authenticate", "\r"),
    ]
    environment = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": NOWHERE, "OPENAI_MODEL": "none"}
    desk.run("qwen", keys=keys, env=environment, until=lambda: desk.recorder.tools > 0)


def opencode(desk: Desk) -> None:
    """Opencode: `mcp add`, `mcp auth`, `mcp list`."""
    desk.run("opencode", "mcp", "add", "nextcloud", "--url", desk.url)
    desk.run("opencode", "mcp", "auth", "nextcloud", until="Authentication successful")
    desk.run("opencode", "mcp", "list")


def copilot(desk: Desk) -> None:
    """GitHub Copilot CLI signs in by itself when it starts, also without an account at GitHub."""
    desk.run("copilot", "mcp", "add", "--transport", "http", "nextcloud", desk.url)
    _write(desk.home / ".copilot" / "config.json", {"trusted_folders": [str(desk.work)]})
    desk.run("copilot", until=lambda: desk.recorder.tools > 0)


def inspector(desk: Desk) -> None:
    """The MCP Inspector's command line."""
    settings = {"MCP_AUTO_OPEN_ENABLED": "true", "MCP_INSPECTOR_SECRET_STORE": "file"}
    command = ("inspector", "--cli", desk.url, "--transport", "http", "--method")
    desk.run(*command, "tools/list", env=settings, reads_output=True)
    desk.run(*command, "tools/call", "--tool-name", TOOL, env=settings, reads_output=True)


def mcporter(desk: Desk) -> None:
    """Mcporter: `auth`, `list`, `call`."""
    desk.run("mcporter", "config", "add", "nextcloud", desk.url)
    desk.run("mcporter", "auth", "nextcloud")
    desk.run("mcporter", "list", "nextcloud")
    desk.run("mcporter", "call", f"nextcloud.{TOOL}")


def mcp_remote(desk: Desk) -> None:
    """mcp-remote, as a local server of the Python SDK's client."""
    command = ("mcp-remote", desk.url)
    desk.run(sys.executable, str(HERE / "through_stdio.py"), TOOL, *command, reads_output=True)


def typescript_sdk(desk: Desk) -> None:
    """The TypeScript SDK's client with its OAuth client provider."""
    desk.run("node", str(HERE / "typescript_sdk.mjs"), str(desk.client.folder), desk.url, TOOL)


def fastmcp(desk: Desk) -> None:
    """FastMCP's client with `auth="oauth"`."""
    desk.run("python", str(HERE / "fastmcp_client.py"), desk.url, TOOL)


def python_sdk(desk: Desk) -> None:
    """The Python SDK's client with its OAuth client provider."""
    desk.run("python", str(HERE / "python_sdk.py"), desk.url, TOOL)


DRIVERS: Final[dict[str, Driver]] = {
    "claude-code": claude_code,
    "codex": codex,
    "gemini": gemini,
    "opencode": opencode,
    "qwen": qwen,
    "copilot": copilot,
    "mcp-remote": mcp_remote,
    "inspector": inspector,
    "mcporter": mcporter,
    "typescript-sdk": typescript_sdk,
    "fastmcp": fastmcp,
    "python-sdk": python_sdk,
}


def _add(path: Path, settings: dict[str, Any]) -> None:
    """Add settings to the file that the client wrote."""
    _write(path, json.loads(path.read_text(encoding="utf-8")) | settings)


def _write(path: Path, settings: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings), encoding="utf-8")
