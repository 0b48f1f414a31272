"""Find the tool or resource that a request uses, in its headers, if the protocol has them, and in its body.

Other MCP requests (lists, prompts, `ping`) use no feature, because they read no data of a Nextcloud app.
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
    """The use of a feature by one JSON-RPC request."""

    feature: Feature
    request_id: RequestId
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)


def feature_in_headers(headers: Mapping[str, str], offer: Offer) -> Feature | None:
    """Return the feature that the headers name (MCP 2026-07-28, "Standard Request Headers"), or None."""
    name = decode_header_value(headers.get(MCP_NAME_HEADER))
    return _feature(headers.get(MCP_METHOD_HEADER), {"name": name, "uri": name}, offer)


def feature_request_in_body(body: bytes, offer: Offer) -> Use | None:
    """Return the use of a feature by a JSON-RPC body, or None.

    Raises:
        ValueError: the body is not JSON in UTF-8 (RFC 8259 section 8.1), or has an unpaired surrogate (section 8.2),
            which can't be encoded. `json.loads`, which the SDK also uses, accepts both.
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
    """Return the feature for a JSON-RPC method and its parameters, which may have any type, or None."""
    match method, params:
        case "tools/call", {"name": str(name)} if name in offer.tools:
            return Feature("tool", name)
        case "resources/read", {"uri": str(uri)} if found := offer.resource_at(uri):
            return Feature("resource", found[0])
        case "completion/complete", {"ref": {"type": "ref/resource", "uri": str(uri)}} if uri in offer.resources:
            return Feature("completion", uri)
    return None
