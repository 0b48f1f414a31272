"""Read the bodies of Nextcloud's responses within size limits, and parse them as JSON."""

import re
from typing import Any, Final, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from nextcloud_mcp import memory
from nextcloud_mcp.errors import NextcloudError, NextcloudUnavailableError
from nextcloud_mcp.nextcloud.refusals import TELL_ADMINISTRATOR

Model = TypeVar("Model")

MAX_BYTES: Final = 16 * 1024 * 1024
"""Maximum bytes of a response body: a listing of 36,000 files. Parsing it as XML takes eight times the memory."""

LARGE_BYTES: Final = 1024 * 1024
"""Responses with more bytes reserve part of the memory that all calls share."""

ANSWER_WEIGHT: Final = 5
"""Bytes of memory for each byte of a large answer while it is read and parsed (measured with 33,000 files)."""

MEMORY_TIMEOUT: Final = 25.0
"""Seconds for which a large answer waits for memory."""


async def read(streamed: httpx.Response, about: str, max_bytes: int) -> httpx.Response:
    """Return a response with its decompressed body.

    Raises:
        NextcloudError: the decompressed body is longer than `max_bytes`.
    """
    chunks, size = [], 0
    async for chunk in streamed.aiter_bytes():
        if size <= LARGE_BYTES < size + len(chunk):
            await memory.take(ANSWER_WEIGHT * _expected(streamed, max_bytes), max_wait=MEMORY_TIMEOUT)
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise NextcloudError(
                "Nextcloud's answer about {resource} has more than the {max_bytes} bytes that are read at once",
                "ask for less, or open it in Nextcloud",
                resource=about,
                max_bytes=max_bytes,
            )
    # keep the headers as bytes: Nextcloud writes user ids into them in unencoded UTF-8
    headers = [(name, value) for name, value in streamed.headers.raw if name.lower() != b"content-encoding"]
    return httpx.Response(streamed.status_code, headers=headers, content=b"".join(chunks), request=streamed.request)


def _expected(streamed: httpx.Response, max_bytes: int) -> int:
    """Return the expected size of a body in bytes: its Content-Length if that is usable, else `max_bytes`."""
    declared = streamed.headers.get("content-length", "")
    is_known = re.fullmatch("[0-9]{1,18}", declared) and "content-encoding" not in streamed.headers
    return min(int(declared), max_bytes) if is_known else max_bytes


_ADAPTERS: Final[dict[object, TypeAdapter[Any]]] = {}
"""By type: an adapter takes longer to build than a response to read."""


def _adapter(model: type[Model]) -> TypeAdapter[Model]:
    if model not in _ADAPTERS:
        _ADAPTERS[model] = TypeAdapter(model)
    return _ADAPTERS[model]


def parse(model: type[Model], response: httpx.Response) -> Model:
    """Read a JSON response as `model`.

    Raises:
        NextcloudUnavailableError: the body does not fit `model`, for example a page from a proxy or maintenance mode.
    """
    try:
        return _adapter(model).validate_json(response.content)
    except ValidationError:
        # not chained: the error's text would quote the response body
        if not response.content:  # for example when Redis drops connections (measured on 34.0.1)
            raise NextcloudUnavailableError(
                "Nextcloud's answer is empty (HTTP {status})",
                f"try again shortly; {TELL_ADMINISTRATOR}",
                status=response.status_code,
            ) from None
        raise NextcloudUnavailableError(
            "Nextcloud's answer has an unexpected form (HTTP {status}, {content_type})",
            "the administrator must check NEXTCLOUD_HOST and what stands in front of it",
            status=response.status_code,
            content_type=response.headers.get("content-type", "no content type"),
        ) from None
