"""JSON-RPC messages in the responses of an MCP endpoint (MCP, "Streamable HTTP")."""

import json
from typing import Any


def message_in(text: str) -> dict[str, Any]:
    """Return the message of a response's body, which is JSON or server-sent events with one message.

    Raises:
        ValueError: there is no message.
    """
    if not text.startswith("{"):
        text = next((line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")), "")
    message: dict[str, Any] = json.loads(text)
    return message
