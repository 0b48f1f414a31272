"""All settings of the server, read from the environment once, at the start.

A secret can also be in a file that `NAME_FILE` names (Docker and Kubernetes secrets). Both at once is an error, because
one of them would be ignored silently.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from nextcloud_mcp.errors import SettingsError

MAX_CACHE_SECONDS: Final = 60
"""The longest `TOKEN_EXCHANGE_CACHE_SECONDS`."""

SECRETS: Final = ("OIDC_CLIENT_SECRET",)


def _http_url(value: str) -> str:
    """Check an absolute http(s) URL and return it unchanged, but without a trailing slash.

    Pydantic's `AnyHttpUrl` normalizes URLs, but resource identifiers are compared character by character (RFC 8707
    section 2, RFC 9728 section 3.3).
    """
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0 or len(value.split()) != 1:
        raise ValueError("must be an http:// or https:// URL")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("must not have a query, a fragment or credentials")
    return value.rstrip("/")


def origin_of(url: str) -> str:
    """Return the origin of an `HttpUrl`: `https://example.org:8443`."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


HttpUrl = Annotated[str, AfterValidator(_http_url)]
NonEmpty = Annotated[str, Field(min_length=1)]
Mode = Literal["exchange", "pass-through"]


def _mode(enable_token_exchange: bool) -> Mode:  # noqa: FBT001 - the setting's value
    return "exchange" if enable_token_exchange else "pass-through"


class Settings(BaseModel):
    """The settings of the server; the alias of each field is its environment variable."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    nextcloud_url: HttpUrl = Field(alias="NEXTCLOUD_HOST")
    """Where this server reaches Nextcloud, e.g. `https://cloud.example.org`."""

    public_nextcloud_url: HttpUrl | None = Field(alias="NEXTCLOUD_PUBLIC_URL", default=None)
    """Where people open Nextcloud, if that is another URL: they may name a file by its address there."""

    server_url: HttpUrl = Field(alias="NEXTCLOUD_MCP_SERVER_URL")
    """This server's public URL, path included: its resource identifier (RFC 8707, RFC 9728)."""

    discovery_url: HttpUrl = Field(alias="OIDC_DISCOVERY_URL")
    """The realm's `/.well-known/openid-configuration`; it may be an internal address, as the issuer is read from it."""

    client_id: NonEmpty = Field(alias="OIDC_CLIENT_ID", default_factory=lambda given: given["server_url"])
    """This server's client at Keycloak, also accepted as audience. Default: the server's URL."""

    client_secret: SecretStr | None = Field(alias="OIDC_CLIENT_SECRET", default=None)
    """That client's secret; needed only for the exchange."""

    client_secret_file: Path | None = Field(alias="OIDC_CLIENT_SECRET_FILE", default=None)
    """A file with the secret, in its place; read again when Keycloak refuses the secret, so that a new one needs no
    restart. It may have a second line with another secret, the next or the former: the one that Keycloak accepts is
    used."""

    client_private_key_file: Path | None = Field(alias="OIDC_CLIENT_PRIVATE_KEY_FILE", default=None)
    """A file with a private key in PEM, in place of a secret: the server signs assertions with it (RFC 7523,
    `private_key_jwt`), and Keycloak has the public key; read again when Keycloak refuses it."""

    enable_token_exchange: bool = Field(alias="ENABLE_TOKEN_EXCHANGE", default=False)
    """True: exchange the caller's token for each call (RFC 8693). False: pass it through."""

    exchange_cache_seconds: int = Field(alias="TOKEN_EXCHANGE_CACHE_SECONDS", default=0, ge=0, le=MAX_CACHE_SECONDS)
    """Seconds for which an exchanged token is kept in memory and used again for the same caller's token. Then a
    sign-out in Keycloak takes effect as much later. 0: an exchange for each call
    (docs/decisions/0016-exchanged-tokens-in-memory.md)."""

    nextcloud_audience: NonEmpty = Field(alias="TOKEN_EXCHANGE_AUDIENCE", default="nextcloud")
    """The client id of Nextcloud's user_oidc provider: the audience of the tokens that Nextcloud accepts."""

    server_scope: NonEmpty = Field(
        alias="OIDC_SERVER_SCOPE",
        default_factory=lambda given: f"nextcloud-mcp:{_mode(given['enable_token_exchange'])}",
    )
    """The client scope that adds this server to `aud`. Default: by mode, as in the shipped realm."""

    first_scopes: Annotated[tuple[str, ...], BeforeValidator(str.split)] = Field(alias="MCP_FIRST_SCOPES", default=())
    """The tools' scopes that a client is told to ask for when it first signs in, separated by spaces. Default: all,
    for a client that has registered itself can't ask for more later (docs/explanation/first-scopes.md)."""

    read_only: bool = Field(alias="MCP_READ_ONLY", default=False)
    """True: offer only tools that need no writing scope, and request no writing scope."""

    apps: Annotated[tuple[str, ...], BeforeValidator(str.split)] = Field(alias="MCP_APPS", default=())
    """The apps to offer, as their scopes name them (`files notes`), separated by spaces. Default: all."""

    output_schemas: Literal["full", "none"] = Field(alias="MCP_OUTPUT_SCHEMAS", default="full")
    """`none`: list tools without the schemas of their results, two thirds of the list (docs/explanation/schemas.md)."""

    allowed_origins: Annotated[tuple[HttpUrl, ...], BeforeValidator(str.split)] = Field(
        alias="MCP_ALLOWED_ORIGINS", default=()
    )
    """More origins of web pages that may call, separated by spaces; the server's own and loopback always may."""

    calls_per_minute: int = Field(alias="MCP_CALLS_PER_MINUTE", default=300, ge=1)
    """Requests that one person may make a minute; more are answered with 429."""

    pages: bool = Field(alias="MCP_PAGES", default=True)
    """True: a browser that opens the server's URL gets a page that explains how to connect. False: no pages."""

    organisation_name: NonEmpty = Field(alias="ORGANISATION_NAME", default="Nextcloud")
    """Whose server this is, as on Keycloak's pages; the pages show it."""

    organisation_logo: Path | None = Field(alias="ORGANISATION_LOGO", default=None)
    """The logo of the pages: an SVG, PNG, WebP, JPEG or GIF file, up to 256 KiB. Default: that of Keycloak's theme."""

    help_url: HttpUrl | None = Field(alias="MCP_HELP_URL", default=None)
    """A web page of the organisation about this server; the pages link it. Default: no link."""

    journey: bool = Field(alias="MCP_JOURNEY", default=False)
    """True: serve the page `/journey`, which shows people with the realm role `journey` what their token is and what
    becomes of it (docs/how-to/show-the-journey.md)."""

    connections: bool = Field(alias="MCP_CONNECTIONS", default=False)
    """True: serve the page `/connections`, on which people see which clients have access to their account."""

    other_server_url: HttpUrl | None = Field(alias="MCP_OTHER_SERVER_URL", default=None)
    """The URL of a server of the same realm in the other mode; the page `/journey` shows both, and may call both."""

    host: NonEmpty = Field(alias="MCP_HOST", default="127.0.0.1")
    """The address to listen on."""

    port: int = Field(alias="MCP_PORT", default=8000, ge=0, le=65535)
    """The port to listen on."""

    metrics_port: int | None = Field(alias="MCP_METRICS_PORT", default=None, ge=1, le=65535)
    """A second port with metrics for Prometheus, without a token (docs/reference/metrics.md). Default: none."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(alias="LOG_LEVEL", default="INFO")
    """The lowest level of this server's own events that is logged."""

    @field_validator("client_private_key_file")
    @classmethod
    def _one_client_credential(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file is not None and info.data.get("client_secret") is not None:
            raise ValueError("is set besides OIDC_CLIENT_SECRET: keep one of them")
        return file

    @field_validator("enable_token_exchange")
    @classmethod
    def _exchange_needs_client_credential(cls, enabled: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic calls it
        if enabled and info.data.get("client_secret") is None and info.data.get("client_private_key_file") is None:
            raise ValueError("needs OIDC_CLIENT_SECRET (or OIDC_CLIENT_SECRET_FILE) or OIDC_CLIENT_PRIVATE_KEY_FILE")
        return enabled

    @property
    def mode(self) -> Mode:
        """How a call gets its token for Nextcloud."""
        return _mode(self.enable_token_exchange)

    @property
    def path(self) -> str:
        """The path of the MCP endpoint, at least `/`."""
        return urlsplit(self.server_url).path or "/"

    @property
    def page_origins(self) -> tuple[str, ...]:
        """The origins of other sites whose pages may call, apart from loopback."""
        other = self.other_server_url if self.journey else None
        return self.allowed_origins if other is None else (*self.allowed_origins, origin_of(other))


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from `environ`; empty variables count as absent, because compose files set them.

    Raises:
        SettingsError: a setting is wrong or missing; names the first one in one line.
    """
    settings = read_settings(environ)
    if isinstance(settings, Settings):
        return settings
    raise settings[0]


def read_settings(environ: Mapping[str, str]) -> Settings | list[SettingsError]:
    """Return the settings, or one error for each that is wrong."""
    values = {name: value for name, value in environ.items() if value}
    errors = []
    for name in SECRETS:
        try:
            _read_secret_file(values, name)
        except SettingsError as error:
            errors.append(error)
            values[name] = "unread"  # so that it is not reported as missing, too
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:  # its text contains the values, also of secrets
        found = error.errors(include_input=False, include_url=False)
        # a default that depends on a wrong setting is not an error of its own
        return errors + [_describe(each) for each in found if each["type"] != "default_factory_not_called"]
    return errors or settings


def _read_secret_file(values: dict[str, str], name: str) -> None:
    """Set `NAME` to the content of the file that `NAME_FILE` names."""
    path = values.get(f"{name}_FILE")
    if path is None:
        return
    if name in values:
        raise SettingsError(name, f"{name}_FILE is set too; keep one of them")
    values[name] = read_secrets(f"{name}_FILE", Path(path))[0]


def secret_from(environ: Mapping[str, str], name: str) -> str:
    """Return the secret that `NAME` or the file in `NAME_FILE` has, or an empty text.

    Raises:
        SettingsError: both are set, or the file can't be read or is empty.
    """
    value, file = environ.get(name, ""), environ.get(f"{name}_FILE", "")
    if value and file:
        raise SettingsError(name, f"{name}_FILE is set too; keep one of them")
    return read_secret(f"{name}_FILE", Path(file)) if file else value


def read_secret(name: str, path: Path) -> str:
    """Return the secret in a file, without surrounding whitespace.

    Raises:
        SettingsError: the file can't be read or is empty; names the setting `name`.
    """
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(name, f"{path} can't be read ({type(error).__name__})") from error
    if not secret:
        raise SettingsError(name, f"{path} is empty")
    return secret


def read_secrets(name: str, path: Path) -> list[str]:
    """Return the secrets in a file with one secret per line.

    Raises:
        SettingsError: see `read_secret`.
    """
    return [line.strip() for line in read_secret(name, path).splitlines() if line.strip()]


def _describe(error: ErrorDetails) -> SettingsError:
    """Convert pydantic's error to one that names the setting."""
    reason = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        reason = "is not set, and has no default"
    return SettingsError(" ".join(str(part) for part in error["loc"]), reason)
