"""`sign_in.discovery`: what the `token` command says if it can't find out where to sign in."""

from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest

from nextcloud_mcp.cli import main
from nextcloud_mcp.sign_in.discovery import discover
from nextcloud_mcp.sign_in.errors import SignInError

SERVER: Final = "https://mcp.example.org/mcp"
RESOURCE: Final = "https://mcp.example.org/.well-known/oauth-protected-resource/mcp"
ISSUER: Final = "https://id.example.org/realms/r"
METADATA: Final = f"{ISSUER}/.well-known/openid-configuration"
METADATA_DOCUMENT: Final[dict[str, Any]] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth",
    "token_endpoint": f"{ISSUER}/token",
    "code_challenge_methods_supported": ["S256"],
}


def answers(**changed: Any) -> Callable[[httpx.Request], httpx.Response]:
    """Return a handler for a healthy deployment, with other answers for some documents."""
    header = f'Bearer scope="nextcloud-mcp:exchange files:read", resource_metadata="{RESOURCE}"'
    server = httpx.Response(401, headers={"WWW-Authenticate": header})
    resource = httpx.Response(200, json={"resource": SERVER, "authorization_servers": [ISSUER]})
    metadata = httpx.Response(200, json=METADATA_DOCUMENT)
    found = {"server": server, "resource": resource, "metadata": metadata} | {
        name: answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)
        for name, answer in changed.items()
    }
    by_url = {SERVER: found["server"], RESOURCE: found["resource"], METADATA: found["metadata"]}
    return lambda request: by_url[str(request.url)]


def test_url_alone_tells_where_to_sign_in() -> None:
    """The challenge, the resource's metadata and the issuer's metadata lead from one to the next."""
    with httpx.Client(transport=httpx.MockTransport(answers())) as http:
        target = discover(http, SERVER)
    assert (target.resource, target.issuer) == (SERVER, ISSUER)
    assert target.scope == "nextcloud-mcp:exchange files:read"
    assert (target.authorization_endpoint, target.token_endpoint) == (f"{ISSUER}/auth", f"{ISSUER}/token")
    assert target.names_issuer is False


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        pytest.param(
            {"server": httpx.Response(404)}, "HTTP 404 and no challenge: pass the server's URL", id="another URL"
        ),
        pytest.param({"resource": httpx.Response(502, text="oops")}, "HTTP 502 and no JSON", id="no metadata"),
        pytest.param({"resource": {"resource": "https://other/mcp"}}, "its URL is https://other/mcp", id="renamed"),
        pytest.param({"resource": {"resource": SERVER}}, "names no authorization server", id="no issuer"),
        pytest.param({"metadata": {"issuer": "https://other"}}, "is that of https://other", id="another issuer"),
        pytest.param(
            {"metadata": {"issuer": ISSUER}}, "does not offer the authorization code grant with PKCE", id="no PKCE"
        ),
        pytest.param(
            {"metadata": METADATA_DOCUMENT | {"code_challenge_methods_supported": None}},
            "does not offer the authorization code grant with PKCE",
            id="null",
        ),
        *(
            pytest.param(
                {"metadata": METADATA_DOCUMENT | {name: value}},
                "is not an http:// or https:// URL",
                id=f"{name}: {value}",
            )
            for name in ("authorization_endpoint", "token_endpoint")
            for value in ("file:///etc/passwd", "-t", "\\\\attacker\\share", "javascript:alert(1)", "/authorize")
        ),
    ],
)
def test_unusable_answer_is_one_sentence(changed: dict[str, Any], sentence: str) -> None:
    """The sentence has the address, what is wrong there, and the next step."""
    with (
        httpx.Client(transport=httpx.MockTransport(answers(**changed))) as http,
        pytest.raises(SignInError, match=sentence) as caught,
    ):
        discover(http, SERVER)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://127.0.0.1:1/mcp", "http://127.0.0.1:1/mcp can't be reached (ConnectError): check the address"),
        ("mcp.example.org", "'mcp.example.org' is not an http:// or https:// URL"),
    ],
)
def test_unreachable_server_is_one_line_and_exit_1(url: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output, which a pipe reads, stays empty."""
    assert main(["token", url], {}) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert captured.err.startswith(f"nextcloud-mcp token: {sentence}")


def test_server_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an argument, the server is that of the settings."""
    assert main(["token"], {}) == 2
    assert "pass the server's URL to nextcloud-mcp token" in capsys.readouterr().err
    assert main(["token"], {"NEXTCLOUD_MCP_SERVER_URL": "http://127.0.0.1:1/mcp"}) == 1
