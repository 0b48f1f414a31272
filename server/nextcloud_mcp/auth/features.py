"""Which tool or resource a request makes use of: by its headers, where the protocol has them, and by its body.

All else that MCP knows (lists, prompts, `ping`) reaches no app of Nextcloud and makes use of none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.shared.inbound import MCP_METHOD_HEADER, MCP_NAME_HEADER, decode_header_value
from pydantic_core import from_json

from nextcloud_mcp.auth.challenge import RequestId
from nextcloud_mcp.auth.scopes import Feature, Offer


@dataclass(frozen=True)
class Use:
    """One use of a feature, as a JSON-RPC request says it."""

    feature: Feature
    request_id: RequestId
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)


def named_in_headers(headers: Mapping[str, str], offer: Offer) -> Feature | None:
    """Return the feature that the headers name, as MCP 2026-07-28 has it ("Standard Request Headers")."""
    name = decode_header_value(headers.get(MCP_NAME_HEADER))
    return _feature(headers.get(MCP_METHOD_HEADER), {"name": name, "uri": name}, offer)


def used_by_body(body: bytes, offer: Offer) -> Use | None:
    """Return the use of a feature that a JSON-RPC body makes, if it makes one.

    Raises:
        ValueError: it is not JSON in UTF-8 (RFC 8259 section 8.1), or has half a surrogate pair (section 8.2), which no
            encoding can carry on. The SDK's other parser, `json.loads`, takes both.
    """
    message: Any = from_json(body)
    if not isinstance(message, Mapping):
        return None
    params, request_id = message.get("params"), message.get("id")
    feature = _feature(message.get("method"), params, offer)
    if feature is None or not isinstance(params, Mapping):
        return None
    arguments = params.get("arguments")
    return Use(
        feature,
        request_id if isinstance(request_id, str | int) else None,
        arguments if isinstance(arguments, Mapping) else {},
    )


def _feature(method: Any, params: Any, offer: Offer) -> Feature | None:
    """Tell by a JSON-RPC method and its parameters, which may be anything."""
    match method, params:
        case "tools/call", {"name": str(name)} if name in offer.tools:
            return Feature("tool", name)
        case "resources/read", {"uri": str(uri)} if found := offer.resource_at(uri):
            return Feature("resource", found[0])
        case "completion/complete", {"ref": {"type": "ref/resource", "uri": str(uri)}} if uri in offer.resources:
            return Feature("completion", uri)
    return None
