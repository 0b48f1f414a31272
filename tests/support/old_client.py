"""A client that uses the tools and resources exactly as the contract defines them."""

import json
from base64 import b64decode
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import httpx
from jsonschema import validate
from mcp.client import Client
from mcp.shared.uri_template import UriTemplate
from mcp_types import BlobResourceContents

from tests.support.contract import KNOWN
from tests.support.mcp_client import text_of
from tests.support.recipe_page import RecipePage

RESOURCES: Final = frozenset(KNOWN["resources"]) | frozenset(KNOWN["resource_templates"])
"""The URI templates of all resources in the contract."""

NextcloudOf = Callable[[str], AbstractAsyncContextManager[httpx.AsyncClient]]


class OldClient:
    """A client that sends only parameters of the contract, and requires every field of it in the results.

    Attributes:
        unique: a name that nothing else in this Nextcloud has.
        nextcloud_of: opens a user's Nextcloud over plain HTTP, to prepare and check data.
        recipe_page: serves a web page with a recipe.
        called: the names of the tools that were called.
        read: the URI templates of the resources that were read.
    """

    def __init__(self, client: Client, *, unique: str, nextcloud_of: NextcloudOf, recipe_page: RecipePage) -> None:
        self.unique = unique
        self.nextcloud_of = nextcloud_of
        self.recipe_page = recipe_page
        self.called: set[str] = set()
        self.read: set[str] = set()
        self._client = client

    async def call(self, tool: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a tool that must succeed, with arguments of the contract only, and return its result.

        The result must match the contract's output schema. It must also be in the text content, for clients without
        support for structured content.
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

    async def use(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call a tool that is not in the contract, or with arguments that are not in it."""
        answer = await self._client.call_tool(tool, arguments)
        assert not answer.is_error, f"{tool}: {text_of(answer)}"
        result: dict[str, Any] = answer.structured_content
        self.called.add(tool)
        return result

    async def resource(self, uri: str) -> Any:
        """Read a resource, and return its content: parsed JSON, text, or bytes."""
        (template,) = [known for known in RESOURCES if UriTemplate.parse(known).match(uri) is not None]
        (content,) = (await self._client.read_resource(uri)).contents
        self.read.add(template)
        if isinstance(content, BlobResourceContents):
            return b64decode(content.blob)
        return json.loads(content.text) if content.mime_type == "application/json" else content.text
