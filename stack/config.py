"""The stack's configuration, and the environment variables that set it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack.errors import StackError
from stack.keycloak import default_cache
from stack.standin.releases import NEXTCLOUD_34, RELEASES

EXCHANGE_CLIENT_SECRET = "demo-only-exchange-client-secret"  # noqa: S105 - the realm file's own, for loopback
JANITOR_CLIENT_SECRET = "demo-only-client-janitor-secret"  # noqa: S105 - the same
NEXTCLOUD_CLIENT_SECRET = "demo-only-nextcloud-client-secret"  # noqa: S105 - the same
USERS = {"alice": "alice-demo-password", "bob": "bob-demo-password"}
"""User names and demo passwords of the realm's users."""


@dataclass(frozen=True)
class Config:
    """Where the stack keeps its data, on which ports it listens, and which Nextcloud it uses."""

    state: Path = Path(".stack")
    """Folder for logs, endpoints and all data of the demo."""

    cache: Path = field(default_factory=default_cache)
    """Folder for downloads and builds, which several stacks share."""

    keycloak_port: int = 8180
    nextcloud_port: int = 8080
    """Port of the stand-in for Nextcloud."""

    exchange_port: int = 8000
    pass_through_port: int = 8001

    keycloak_features: tuple[str, ...] = ()
    """Keycloak's features beyond its defaults, such as `cimd`; the shipped realm needs none."""

    standin_release: int = NEXTCLOUD_34.major
    """The major version of Nextcloud that the stand-in plays."""

    nextcloud_url: str | None = None
    """URL of a real Nextcloud; if None, the stack starts the stand-in."""

    nextcloud_occ: str | None = None
    """The command that runs `occ` of the Nextcloud at `nextcloud_url`."""

    @property
    def ports(self) -> dict[str, int]:
        """The ports that the stack listens on, by the environment variable that sets each."""
        ports = {
            "KEYCLOAK_PORT": self.keycloak_port,
            "MCP_EXCHANGE_PORT": self.exchange_port,
            "MCP_PASS_THROUGH_PORT": self.pass_through_port,
        }
        return ports if self.nextcloud_url else ports | {"NEXTCLOUD_PORT": self.nextcloud_port}

    @property
    def exchange_url(self) -> str:
        """URL of the server in exchange mode, which is also its client id and resource identifier."""
        return f"http://localhost:{self.exchange_port}/mcp"

    @property
    def pass_through_url(self) -> str:
        """URL of the server in pass-through mode."""
        return f"http://localhost:{self.pass_through_port}/mcp"

    @property
    def public_nextcloud_url(self) -> str:
        """URL of Nextcloud for browsers."""
        return self.nextcloud_url or f"http://localhost:{self.nextcloud_port}"


def config_from(environ: Mapping[str, str]) -> Config:
    """Read the configuration from environment variables.

    Raises:
        StackError: a port is not a number from 1 to 65535, the stand-in does not know `STANDIN_RELEASE`, or
            `NEXTCLOUD_OCC` is set without `NEXTCLOUD_URL`.
    """
    url = environ.get("NEXTCLOUD_URL", "").rstrip("/") or None
    occ = environ.get("NEXTCLOUD_OCC") or None
    if occ and not url:
        raise StackError("NEXTCLOUD_OCC is set without NEXTCLOUD_URL: say where that Nextcloud answers.")
    return Config(
        state=Path(environ.get("STACK_DIR") or Config.state).absolute(),
        keycloak_port=_port(environ, "KEYCLOAK_PORT", Config.keycloak_port),
        nextcloud_port=_port(environ, "NEXTCLOUD_PORT", Config.nextcloud_port),
        exchange_port=_port(environ, "MCP_EXCHANGE_PORT", Config.exchange_port),
        pass_through_port=_port(environ, "MCP_PASS_THROUGH_PORT", Config.pass_through_port),
        keycloak_features=tuple(sorted(environ.get("KEYCLOAK_FEATURES", "").replace(",", " ").split())),
        standin_release=_release(environ),
        nextcloud_url=url,
        nextcloud_occ=occ,
    )


def _release(environ: Mapping[str, str]) -> int:
    value = environ.get("STANDIN_RELEASE") or str(Config.standin_release)
    known = {str(release): release for release in RELEASES}
    if value not in known:
        raise StackError(f"STANDIN_RELEASE is {value!r}: give one of {', '.join(known)}.")
    return known[value]


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isdigit() or not 0 < int(value) <= 65535:  # noqa: PLR2004 - the highest port
        raise StackError(f"{name} is {value!r}: give a port from 1 to 65535.")
    return int(value)
