"""Reading what Nextcloud answers: as bytes, within limits, and as JSON."""

import re
from typing import Final, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from nextcloud_mcp import memory
from nextcloud_mcp.errors import NextcloudError, NextcloudUnavailableError
from nextcloud_mcp.nextcloud.refusals import IF_IT_GOES_ON

Model = TypeVar("Model")

MAX_BYTES: Final = 16 * 1024 * 1024
"""Bytes of an answer: a folder of 36,000 files has as many, and reading them as XML takes the eightfold of memory."""

LARGE_BYTES: Final = 1024 * 1024
"""Of an answer; a larger one takes its share of the memory of all calls."""

ANSWER_WEIGHT: Final = 5
"""Bytes of memory for each byte of a large answer while it is read and parsed (measured with 33,000 files)."""

MEMORY_TIMEOUT: Final = 25.0
"""Seconds for which a large answer waits for memory."""


async def read(streamed: httpx.Response, about: str, max_bytes: int) -> httpx.Response:
    """Return a response with its body, which counts as it is when it is no longer compressed.

    Raises:
        NextcloudError: it goes on after `max_bytes`.
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
    # as bytes: Nextcloud writes user ids into headers as they are, in UTF-8
    headers = [(name, value) for name, value in streamed.headers.raw if name.lower() != b"content-encoding"]
    return httpx.Response(streamed.status_code, headers=headers, content=b"".join(chunks), request=streamed.request)


def _expected(streamed: httpx.Response, max_bytes: int) -> int:
    """Return how many bytes an answer may have: what it declares, or the most that is read."""
    declared = streamed.headers.get("content-length", "")
    is_known = re.fullmatch("[0-9]{1,18}", declared) and "content-encoding" not in streamed.headers
    return min(int(declared), max_bytes) if is_known else max_bytes


def parse(model: type[Model], response: httpx.Response) -> Model:
    """Read a JSON response as `model`.

    Raises:
        NextcloudUnavailableError: it is something else, as proxies and maintenance pages are.
    """
    try:
        return TypeAdapter(model).validate_json(response.content)
    except ValidationError:
        # not chained: the error's text would quote the answer
        if not response.content:  # as when its Redis breaks connections off (measured on 34.0.1)
            raise NextcloudUnavailableError(
                "Nextcloud's answer is empty (HTTP {status})",
                "try again shortly; {if_it_goes_on}",
                status=response.status_code,
                if_it_goes_on=IF_IT_GOES_ON,
            ) from None
        raise NextcloudUnavailableError(
            "Nextcloud's answer has an unexpected form (HTTP {status}, {headers})",
            "the administrator must check NEXTCLOUD_HOST and what stands in front of it",
            status=response.status_code,
            headers=response.headers.get("content-type", "no content type"),
        ) from None
