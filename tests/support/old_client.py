"""A client that knows the tools as the contract has them."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
from jsonschema import validate
from mcp.client import Client

from tests.support.contract import KNOWN
from tests.support.mcp_client import text_of

NextcloudOf = Callable[[str], AbstractAsyncContextManager[httpx.AsyncClient]]


class OldClient:
    """Sends no parameter that came later, and demands every field that was.

    Attributes:
        unique: a name that nothing else in this Nextcloud has.
        nextcloud_of: opens somebody's Nextcloud by plain HTTP, to prepare and to look.
        called: the tools that it has called.
    """

    def __init__(self, client: Client, *, unique: str, nextcloud_of: NextcloudOf) -> None:
        self.unique = unique
        self.nextcloud_of = nextcloud_of
        self.called: set[str] = set()
        self._client = client

    async def call(self, tool: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a tool that must succeed, with arguments of the contract alone, and return its result.

        The result must have the form that the contract says, and be in the text too, for clients of before there
        was structured content.
        """
        known = KNOWN["tools"][tool]
        validate(arguments or {}, {**known["input"], "additionalProperties": False})
        answer = await self._client.call_tool(tool, arguments or {})
        assert not answer.is_error, f"{tool}: {text_of(answer)}"
        result: dict[str, Any] = answer.structured_content
        assert json.loads(text_of(answer)) == result
        if known["output"] is not None:
            validate(result, known["output"])
        self.called.add(tool)
        return result
