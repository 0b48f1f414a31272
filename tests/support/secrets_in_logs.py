"""Secrets that no log may contain, at any level."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

SECRETS: Final[Mapping[str, re.Pattern[bytes]]] = {
    "a token": re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{8,}"),
    "credentials of a request": re.compile(rb"(?i)\b(bearer|basic) [\w+/.=-]{20,}"),
    "a password": re.compile(rb"[a-z]+-demo-password"),
    "a client's secret": re.compile(rb"demo-only-[a-z-]+-secret"),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "an authorization code": re.compile(rb"[?&]code=[\w.-]{20,}"),
    "the content of a file": re.compile(rb"content-of-"),
}
"""A pattern for each kind of secret: file contents in tests begin with `content-of-`, the demo's secrets have names."""


NEXTCLOUD_SIGN_IN: Final = re.compile(rb'"GET /apps/user_oidc/code\?\S+ HTTP/1\.1" ')
"""Matches the log line of Apache, in Nextcloud's own image, for a sign-in at Nextcloud's web interface. Its code is
already used (RFC 6749 section 4.1.2), and worthless without the client's secret."""


def found(log: Path, secret: re.Pattern[bytes]) -> list[str]:
    """Return the places (`file:line`) of a secret in a log, without the secret itself."""
    lines = log.read_bytes().splitlines()
    return [
        f"{log.name}:{number}"
        for number, line in enumerate(lines, start=1)
        if secret.search(line) and not NEXTCLOUD_SIGN_IN.search(line)
    ]


def check_logs(logs: Iterable[Path]) -> None:
    """Raise `AssertionError` with the kinds and places of the secrets if a log has any."""
    places = {what: [place for log in logs for place in found(log, secret)] for what, secret in SECRETS.items()}
    assert not any(places.values()), f"secrets in logs: {places}"
