"""Pin the images of `compose.yaml`, of the production overlays and of the server's Dockerfile to digests.

    make digests       writes the current digest of each tag: keycloak/keycloak:26.7.3@sha256:…
    make no-digests    leaves only the tags

A tag can be moved to another image, a digest cannot. The tag stays for readers and for the next `make digests`: run it
after a change of a tag, or for a newer build of a tag, and commit the changes.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from stack.errors import StackError
from tests.containers.images import PULL_SECONDS, ROOT

FILES: Final = (
    "compose.yaml",
    "deploy/production/caddy.yaml",
    "deploy/production/compose.yaml",
    "server/Dockerfile",
)
IMAGE: Final = re.compile(
    r"(?P<variable>\$\{(?!MCP_)[A-Z]+_IMAGE:-|^ARG [A-Z]+_IMAGE=)"
    r"(?P<tagged>[a-z0-9][a-z0-9./_-]*(:\d+/[a-z0-9./_-]+)?:[\w.-]+)"
    r"(?P<digest>@sha256:[0-9a-f]{64})?",
    re.MULTILINE,
)
"""Where a file names an image that is pulled; the server's own (`MCP_IMAGE`) is built."""


def write(root: Path, digest_of: Callable[[str], str]) -> dict[str, str]:
    """Write beside each tag the digest that it has; return the digests by tag. No file changes if one can't be had.

    Args:
        root: the folder of the project.
        digest_of: the digest of an image by its name and tag; empty for none.

    Raises:
        StackError: what `digest_of` raises.
    """
    texts = {root / file: (root / file).read_text() for file in FILES}
    tagged = sorted({found["tagged"] for text in texts.values() for found in IMAGE.finditer(text)})
    digests = {name: digest_of(name) for name in tagged}
    for file, text in texts.items():
        file.write_text(_pinned(text, digests))
    return digests


def _pinned(text: str, digests: Mapping[str, str]) -> str:
    def replace(found: re.Match[str]) -> str:
        digest = digests[found["tagged"]]
        return found["variable"] + found["tagged"] + (f"@{digest}" if digest else "")

    return IMAGE.sub(replace, text)


def pull(name: str) -> str:
    """Pull an image, and return the digest that its registry gave for the tag: of all platforms, where it has several.

    Raises:
        StackError: it can't be pulled.
    """
    try:
        done = subprocess.run(
            ["docker", "pull", name], capture_output=True, text=True, timeout=PULL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"{name} cannot be pulled ({error}): no file was changed.") from error
    found = re.search(r"^Digest: (sha256:[0-9a-f]{64})$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or found is None:
        raise StackError(f"{name} cannot be pulled: no file was changed. Docker says: {done.stderr.strip()}")
    return found[1]


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Pin the images, or with `--remove` leave the tags alone."""
    try:
        digests = write(root, (lambda _: "") if arguments == ["--remove"] else pull)
    except StackError as error:
        print(f"digests: {error}", file=sys.stderr)
        return 1
    for name, digest in digests.items():
        print(f"  {name}  {digest or 'by its tag'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
