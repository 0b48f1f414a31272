"""One real call of a demo user through each server, before the stack says that it is ready.

Only such a call shows that Nextcloud accepts the realm's tokens. If it fails, the doctor says why.
"""

import json
import subprocess
from typing import Final

import httpx

from stack.chain import Chain
from stack.config import USERS
from stack.errors import StackError
from stack.json_rpc import message_in
from stack.servers import COMMAND, environment, server_settings
from stack.sign_in import TIMEOUT_SECONDS, signed_in

USER: Final = "alice"
SCOPE: Final = "files:read"
TOOL: Final = "nc_webdav_list_directory"
HEADERS: Final = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
DOCTOR_SECONDS: Final = 300


def make_first_calls(chain: Chain) -> None:
    """List the user's files through each server.

    Raises:
        StackError: a call failed; the message has the doctor's findings.
    """
    for mode, settings in server_settings(chain.config, chain.keycloak, chain.nextcloud).items():
        url = settings["NEXTCLOUD_MCP_SERVER_URL"]
        scope = f"nextcloud-mcp:{mode} {SCOPE}"
        with signed_in(chain.keycloak, username=USER, password=USERS[USER], scope=scope, resource=url) as token:
            error = _call(url, token)
            if error:
                raise StackError(
                    f"The first call of {USER} through the MCP server ({mode}) failed: {error}\n"
                    + "\n".join(_diagnosis(chain, settings, token))
                )


def _call(url: str, token: str) -> str:
    """Call the tool, and return the error, or an empty string for none."""
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": TOOL, "arguments": {"path": "/"}},
    }
    headers = HEADERS | {"Authorization": f"Bearer {token}"}
    try:
        response = httpx.post(url, json=message, headers=headers, trust_env=False, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        return f"no answer ({type(error).__name__})"
    try:
        answer = message_in(response.text)
    except ValueError:
        answer = {}
    result = answer.get("result", {})
    if response.is_success and result and not result.get("isError"):
        return ""
    texts = [str(part["text"]) for part in result.get("content", []) if "text" in part]
    return " ".join(texts) or str(answer.get("error", {}).get("message") or f"HTTP {response.status_code}")


def _diagnosis(chain: Chain, settings: dict[str, str], token: str) -> list[str]:
    """Return the causes and fixes that the doctor finds, and what the user still has to do, for the terminal."""
    occ = ["--occ", chain.config.nextcloud_occ] if chain.config.nextcloud_occ else []
    try:
        done = subprocess.run(
            [COMMAND, "doctor", "--json", "--token-stdin", "--no-registration", *occ],
            env=environment() | settings,
            input=token,
            capture_output=True,
            text=True,
            timeout=DOCTOR_SECONDS,
            check=False,
        )
        steps = json.loads(done.stdout)["steps"]
    except (subprocess.TimeoutExpired, ValueError) as error:
        return [
            f"The doctor did not report ({type(error).__name__}): run `nextcloud-mcp doctor`.",
            chain.nextcloud.note,
        ]
    lines = ["The doctor says:"]
    for step in steps:
        for problem in step["problems"]:
            if problem["outcome"] == "failed":
                fix = problem["fix"].replace("\n", "\n      ")
                lines += [f"  {step['code']}: {problem['cause'].rstrip('.')}.", f"    Next: {fix}"]
    if len(lines) == 1:
        lines = [f"The doctor finds no fault: see the logs in {chain.config.state}."]
    return [*lines, chain.nextcloud.note] if chain.nextcloud.note else lines
