"""Responses with the headers that all pages have.

The pages load nothing from other hosts and run no inline script or style, so their Content Security Policy allows only
this origin's files (CSP Level 3). A cache keeps a page for one browser alone, because the address also answers MCP
clients, and some shared caches ignore `Vary`.
"""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

PAGE_SECONDS: Final = 300
"""How long a browser may show a page, or use a file of it, without asking again."""

_POLICY: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}

_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def page(html: str, language: str, *, policy: Mapping[str, str] | None = None, is_personal: bool = False) -> Response:
    """Return a page.

    Args:
        html: the document.
        language: its language.
        policy: directives of the Content Security Policy that are added or replaced, such as `connect-src`.
        is_personal: no cache may keep the page.
    """
    directives = {**_POLICY, **(policy or {})}
    return Response(
        html,
        media_type="text/html",
        headers={
            **_HEADERS,
            "Cache-Control": "no-store" if is_personal else f"private, max-age={PAGE_SECONDS}",
            "Content-Language": language,
            "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in directives.items()),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Vary": "Accept, Accept-Language, Authorization",
        },
    )


def file(content: bytes, media_type: str, etag: str) -> Response:
    """Return a file of the pages; opened by itself, it can load and run nothing (a logo may be an SVG with scripts)."""
    return Response(
        content,
        media_type=media_type,
        headers={
            **_HEADERS,
            "Cache-Control": f"public, max-age={PAGE_SECONDS}",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "ETag": etag,
        },
    )
