"""`settings`: read once at the start; an invalid setting is reported in one line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.settings import load_settings
from tests.support.server import EXCHANGE, PASS_THROUGH

SECRET: Final = "do-not-show-me"


@pytest.mark.requirement("transport-localhost")
def test_minimal_pass_through_settings() -> None:
    """Nextcloud, this server and the realm suffice for pass-through; all other settings have a default."""
    settings = load_settings(PASS_THROUGH)
    assert settings.mode == "pass-through"
    assert settings.client_id == "http://localhost:8000/mcp"
    assert settings.client_secret is None
    assert settings.nextcloud_audience == "nextcloud"
    assert settings.server_scope == "nextcloud-mcp:pass-through"
    assert (settings.host, settings.port, settings.log_level) == ("127.0.0.1", 8000, "INFO")


def test_minimal_exchange_settings() -> None:
    """Exchange requires a secret as well; all other settings have a default."""
    settings = load_settings(EXCHANGE)
    assert settings.mode == "exchange"
    assert settings.server_scope == "nextcloud-mcp:exchange"


@pytest.mark.parametrize("value", ["true", "True", "1", "yes", "on", "TRUE", "t", "y"])
def test_true_spellings_set_mode_and_scope(value: str) -> None:
    """For each spelling of `true`, mode and default scope agree."""
    settings = load_settings({**EXCHANGE, "ENABLE_TOKEN_EXCHANGE": value})
    assert (settings.mode, settings.server_scope) == ("exchange", "nextcloud-mcp:exchange")


@pytest.mark.parametrize("value", ["false", "False", "0", "no", "off", "", "f", "n"])
def test_false_spellings_set_mode_and_scope(value: str) -> None:
    """For each spelling of `false` and for an empty variable, mode and default scope agree."""
    settings = load_settings({**PASS_THROUGH, "ENABLE_TOKEN_EXCHANGE": value})
    assert (settings.mode, settings.server_scope) == ("pass-through", "nextcloud-mcp:pass-through")


def test_every_setting_can_be_set() -> None:
    """Each variable sets its setting."""
    settings = load_settings(
        {
            "NEXTCLOUD_HOST": "https://cloud.example.org/nextcloud/",
            "NEXTCLOUD_MCP_SERVER_URL": "https://mcp.example.org/mcp",
            "OIDC_DISCOVERY_URL": "http://keycloak:8080/realms/r/.well-known/openid-configuration",
            "OIDC_CLIENT_ID": "mcp-server",
            "OIDC_CLIENT_SECRET": SECRET,
            "ENABLE_TOKEN_EXCHANGE": "true",
            "TOKEN_EXCHANGE_AUDIENCE": "cloud",
            "OIDC_SERVER_SCOPE": "cloud-mcp",
            "MCP_FIRST_SCOPES": " notes:read  files:read ",
            "MCP_READ_ONLY": "true",
            "MCP_APPS": "notes files",
            "MCP_OUTPUT_SCHEMAS": "none",
            "MCP_HOST": "0.0.0.0",
            "MCP_PORT": "9000",
            "LOG_LEVEL": "DEBUG",
        }
    )
    assert settings.nextcloud_url == "https://cloud.example.org/nextcloud"
    assert settings.server_url == "https://mcp.example.org/mcp"
    assert settings.discovery_url == "http://keycloak:8080/realms/r/.well-known/openid-configuration"
    assert settings.client_id == "mcp-server"
    assert settings.client_secret is not None
    assert settings.client_secret.get_secret_value() == SECRET
    assert (settings.nextcloud_audience, settings.server_scope) == ("cloud", "cloud-mcp")
    assert settings.first_scopes == ("notes:read", "files:read")
    assert (settings.read_only, settings.apps) == (True, ("notes", "files"))
    assert settings.output_schemas == "none"
    assert (settings.host, settings.port, settings.log_level) == ("0.0.0.0", 9000, "DEBUG")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        pytest.param("http://localhost:8000/mcp", "/mcp", id="path"),
        pytest.param("http://localhost:8000/mcp/", "/mcp", id="trailing slash"),
        pytest.param("https://mcp.example.org", "/", id="no path"),
        pytest.param("https://mcp.example.org/", "/", id="root"),
    ],
)
def test_endpoint_path_is_that_of_public_url(url: str, path: str) -> None:
    """The public URL sets the endpoint's path; a trailing slash is not part of the identifier."""
    settings = load_settings({**PASS_THROUGH, "NEXTCLOUD_MCP_SERVER_URL": url})
    assert settings.path == path
    assert settings.client_id == settings.server_url == url.rstrip("/")


def test_url_is_not_normalized() -> None:
    """Resource identifiers are compared character by character (RFC 8707 section 2)."""
    url = "https://MCP.example.org:443/Mcp"
    assert load_settings({**PASS_THROUGH, "NEXTCLOUD_MCP_SERVER_URL": url}).server_url == url


WRONG: Final[Mapping[str, tuple[dict[str, str], str]]] = {
    "Nextcloud missing": ({"NEXTCLOUD_HOST": ""}, "NEXTCLOUD_HOST: is not set, and has no default."),
    "server missing": ({"NEXTCLOUD_MCP_SERVER_URL": ""}, "NEXTCLOUD_MCP_SERVER_URL: is not set, and has no default."),
    "discovery missing": ({"OIDC_DISCOVERY_URL": ""}, "OIDC_DISCOVERY_URL: is not set, and has no default."),
    "no scheme": (
        {"NEXTCLOUD_HOST": "cloud.example.org"},
        "NEXTCLOUD_HOST: must be an http:// or https:// URL.",
    ),
    "another scheme": (
        {"OIDC_DISCOVERY_URL": "ftp://keycloak/"},
        "OIDC_DISCOVERY_URL: must be an http:// or https:// URL.",
    ),
    "no host": ({"NEXTCLOUD_HOST": "https:///"}, "NEXTCLOUD_HOST: must be an http:// or https:// URL."),
    "brackets left open": ({"NEXTCLOUD_HOST": "http://[::1"}, "NEXTCLOUD_HOST: "),
    "port not a number": ({"NEXTCLOUD_HOST": "http://cloud:port"}, "NEXTCLOUD_HOST: "),
    "port too large": ({"NEXTCLOUD_MCP_SERVER_URL": "http://localhost:80000/mcp"}, "NEXTCLOUD_MCP_SERVER_URL: "),
    "port 0": ({"NEXTCLOUD_HOST": "http://cloud:0"}, "NEXTCLOUD_HOST: must be an http:// or https:// URL."),
    "a space": ({"NEXTCLOUD_HOST": "http://cloud .org"}, "NEXTCLOUD_HOST: must be an http:// or https:// URL."),
    "a query": (
        {"NEXTCLOUD_MCP_SERVER_URL": "http://localhost/mcp?a=b"},
        "NEXTCLOUD_MCP_SERVER_URL: must not have a query, a fragment or credentials.",
    ),
    "a fragment": (
        {"NEXTCLOUD_MCP_SERVER_URL": "http://localhost/mcp#a"},
        "NEXTCLOUD_MCP_SERVER_URL: must not have a query, a fragment or credentials.",
    ),
    "credentials": (
        {"NEXTCLOUD_HOST": f"https://admin:{SECRET}@cloud.example.org"},
        "NEXTCLOUD_HOST: must not have a query, a fragment or credentials.",
    ),
    "neither yes nor no": ({"ENABLE_TOKEN_EXCHANGE": "maybe"}, "ENABLE_TOKEN_EXCHANGE: "),
    "exchange without a secret": (
        {"ENABLE_TOKEN_EXCHANGE": "true"},
        "ENABLE_TOKEN_EXCHANGE: needs OIDC_CLIENT_SECRET (or OIDC_CLIENT_SECRET_FILE) or OIDC_CLIENT_PRIVATE_KEY_FILE.",
    ),
    "a secret and a private key": (
        {"OIDC_CLIENT_PRIVATE_KEY_FILE": "/run/secrets/key"},
        "OIDC_CLIENT_PRIVATE_KEY_FILE: is set besides OIDC_CLIENT_SECRET: keep one of them.",
    ),
    "port of letters": ({"MCP_PORT": "http"}, "MCP_PORT: "),
    "port beyond all": ({"MCP_PORT": "65536"}, "MCP_PORT: "),
    "port below all": ({"MCP_PORT": "-1"}, "MCP_PORT: "),
    "unknown level": ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL: "),
    "two wrong": ({"NEXTCLOUD_HOST": "", "MCP_PORT": "http"}, "NEXTCLOUD_HOST: is not set, and has no default."),
    "a secret file that is not there": (
        {"OIDC_CLIENT_SECRET_FILE": "/no/such/file"},
        "OIDC_CLIENT_SECRET_FILE: /no/such/file can't be read (FileNotFoundError).",
    ),
    "a secret file that is a folder": (
        {"OIDC_CLIENT_SECRET_FILE": "/"},
        "OIDC_CLIENT_SECRET_FILE: / can't be read (IsADirectoryError).",
    ),
}


@pytest.mark.requirement("rfc8707-absolute-uri", "rfc8707-no-query")
@pytest.mark.parametrize(("changes", "line"), WRONG.values(), ids=WRONG.keys())
def test_invalid_setting_is_reported_in_one_line(changes: dict[str, str], line: str) -> None:
    """The first invalid or missing setting is named with the reason, without any value that may be secret."""
    environ = {**PASS_THROUGH, **changes}
    if "ENABLE_TOKEN_EXCHANGE" not in changes and "OIDC_CLIENT_SECRET_FILE" not in changes:
        environ["OIDC_CLIENT_SECRET"] = SECRET
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"


def test_secret_can_be_read_from_file(tmp_path: Path) -> None:
    """Docker and Kubernetes mount secrets as files; a line break at the end is removed."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    settings = load_settings({**PASS_THROUGH, "ENABLE_TOKEN_EXCHANGE": "1", "OIDC_CLIENT_SECRET_FILE": str(file)})
    assert settings.client_secret is not None
    assert settings.client_secret.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \n", "is empty", id="blank"),
        pytest.param(b"\xff\xfe", "can't be read (UnicodeDecodeError)", id="not text"),
    ],
)
def test_empty_secret_file_stops_the_start(tmp_path: Path, content: bytes, problem: str) -> None:
    """The error names a file that is empty or not text."""
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_settings({**PASS_THROUGH, "OIDC_CLIENT_SECRET_FILE": str(file)})
    assert str(caught.value) == f"OIDC_CLIENT_SECRET_FILE: {file} {problem}."


def test_secret_in_variable_and_file_stops_the_start(tmp_path: Path) -> None:
    """One of them would be ignored silently."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    with pytest.raises(SettingsError) as caught:
        load_settings({**EXCHANGE, "OIDC_CLIENT_SECRET_FILE": str(file)})
    assert str(caught.value) == "OIDC_CLIENT_SECRET: OIDC_CLIENT_SECRET_FILE is set too; keep one of them."


def test_exchange_works_with_private_key() -> None:
    """The client authenticates with a secret or with a private key."""
    key = {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_PRIVATE_KEY_FILE": "/run/secrets/key"}
    settings = load_settings({**PASS_THROUGH, **key})
    assert (settings.mode, settings.client_secret) == ("exchange", None)
    assert settings.client_private_key_file == Path("/run/secrets/key")


def test_settings_repr_hides_secret() -> None:
    """The repr in a log or traceback contains no secret."""
    assert SECRET not in repr(load_settings({**EXCHANGE, "OIDC_CLIENT_SECRET": SECRET}))


def test_other_variables_are_ignored() -> None:
    """The environment contains unrelated variables."""
    assert load_settings({**PASS_THROUGH, "PATH": "/bin", "MCP_PORTS": "x"}).port == 8000
