"""What no log of a run may have, at any level."""

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
"""By what each is known: tests begin what they write with `content-of-`, and the demo's secrets say what they are."""


NEXTCLOUD_SIGN_IN: Final = re.compile(rb'"GET /apps/user_oidc/code\?\S+ HTTP/1\.1" ')
"""What Apache, in Nextcloud's own image, logs of a sign-in at Nextcloud's web pages. The code has been used by then
(RFC 6749 section 4.1.2), and is worth nothing without that client's secret."""


def found(log: Path, secret: re.Pattern[bytes]) -> list[str]:
    """Return where in a log the secret is; not what it is."""
    lines = log.read_bytes().splitlines()
    return [
        f"{log.name}:{number}"
        for number, line in enumerate(lines, start=1)
        if secret.search(line) and not NEXTCLOUD_SIGN_IN.search(line)
    ]


def check_logs(logs: Iterable[Path]) -> None:
    """Raise `AssertionError` if a log has a secret; it says where, and of which kind it is."""
    places = {what: [place for log in logs for place in found(log, secret)] for what, secret in SECRETS.items()}
    assert not any(places.values()), f"secrets in logs: {places}"
