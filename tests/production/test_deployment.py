"""A real deployment of `deploy/production` through Caddy and TLS: what users can reach, and what they cannot.

Without an image registry, the stand-in replaces Nextcloud.
"""

import json

import httpx
import pytest

from tests.production.deployment import CAROL, KEYCLOAK, MCP, NEXTCLOUD, Deployment
from tests.support.mcp_client import McpUser, connected, text_of
from tests.support.mcp_http import call_tool, result
from tests.support.oauth import sign_in

SCOPE = "nextcloud-mcp:exchange files:read files:write"


async def test_client_signs_in_with_the_public_url(deployment: Deployment) -> None:
    """A client with only the public URL signs carol in at Keycloak's public host name and writes a file."""
    carol = McpUser(**CAROL)
    async with connected(deployment.url, carol) as mcp:
        written = await mcp.call_tool("nc_webdav_write_file", {"path": "First.md", "content": "by the URL alone"})
        who = await mcp.call_tool("nc_whoami", {})

    assert not written.is_error, text_of(written)
    assert carol.sign_ins == 1
    assert (who.structured_content["user_id"], who.structured_content["mode"]) == ("carol", "exchange")


async def test_pass_through_scope_is_not_available(deployment: Deployment) -> None:
    """No client can request a token that Nextcloud accepts."""
    with pytest.raises(AssertionError, match="Request not allowed"):
        await sign_in(deployment.keycloak, **CAROL, scope="nextcloud-mcp:pass-through")


async def test_stopped_replica_fails_no_call(deployment: Deployment) -> None:
    """With one of the two replicas stopped, no call fails."""
    token = (await sign_in(deployment.keycloak, **CAROL, scope=SCOPE))["access_token"]
    replicas = deployment.compose("ps", "--quiet", "mcp-exchange").split()
    assert len(replicas) == 2
    deployment.run("docker", "stop", replicas[0])
    try:
        for _ in range(10):
            answer = result(await call_tool(deployment.url, "nc_webdav_list_directory", token=token))
            assert not answer.get("isError"), answer
    finally:
        deployment.run("docker", "start", replicas[0])


@pytest.mark.parametrize("name", [MCP, KEYCLOAK, NEXTCLOUD])
@pytest.mark.parametrize("path", ["/", "/mcp", "/realms/nextcloud-mcp", "/status.php"])
async def test_responses_have_strict_transport_security(deployment: Deployment, name: str, path: str) -> None:
    """Every response of the three host names has exactly one HSTS header (RFC 6797)."""
    assert deployment.address
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        response = await http.get(f"https://{name}{path}")
    (policy,) = response.headers.get_list("Strict-Transport-Security")
    assert policy.startswith("max-age=")


@pytest.mark.parametrize(
    ("url", "status"),
    [
        pytest.param(f"https://{MCP}/.well-known/oauth-protected-resource/mcp", 200, id="metadata"),
        pytest.param(f"https://{MCP}/.well-known/oauth-protected-resource/mcp/", 200, id="metadata-with-a-slash"),
        pytest.param(f"https://{MCP}/.well-known/oauth-protected-resource", 200, id="metadata-without-the-path"),
        pytest.param(f"https://{MCP}/.well-known/oauth-authorization-server", 307, id="issuer"),
        pytest.param(f"https://{MCP}/.well-known/oauth-authorization-server/mcp", 307, id="issuer-with-the-path"),
        pytest.param(f"https://{MCP}/.well-known/openid-configuration", 307, id="discovery-at-the-server"),
        pytest.param(f"https://{MCP}/.well-known/openid-configuration/mcp", 307, id="discovery-with-the-path"),
        pytest.param(f"https://{MCP}/mcp/.well-known/openid-configuration", 307, id="discovery-below-the-server"),
        pytest.param(f"https://{MCP}/mcp", 401, id="server"),
        pytest.param(f"https://{MCP}/mcp/", 401, id="server-with-a-slash"),
        pytest.param(f"https://{MCP}/mcp/assets/pages.css", 200, id="stylesheet-of-the-page"),
        pytest.param(f"https://{MCP}/", 404, id="root-for-a-client"),
        pytest.param(f"https://{MCP}/mcp/journey", 404, id="journey-that-is-off"),
        pytest.param(f"https://{MCP}/health/ready", 404, id="health-of-the-server"),
        pytest.param(f"https://{KEYCLOAK}/realms/nextcloud-mcp/.well-known/openid-configuration", 200, id="discovery"),
        pytest.param(f"https://{KEYCLOAK}/.well-known/openid-configuration", 307, id="discovery-without-the-realm"),
        pytest.param(f"https://{KEYCLOAK}/admin/master/console/", 404, id="administration"),
        pytest.param(f"https://{KEYCLOAK}/metrics", 404, id="metrics"),
        pytest.param(f"https://{NEXTCLOUD}/status.php", 200, id="nextcloud"),
        pytest.param(f"http://{MCP}/mcp", 308, id="plain-http-is-sent-on"),
    ],
)
def test_public_paths_exclude_administration(deployment: Deployment, url: str, status: int) -> None:
    """Each host name serves what users need, and no administration."""
    assert deployment.address
    assert httpx.get(url, trust_env=False).status_code == status


@pytest.mark.parametrize("path", ["/", "/mcp"])
def test_browser_gets_the_page(deployment: Deployment, path: str) -> None:
    """A browser that opens the server's host or URL gets the page with the public URL."""
    assert deployment.address
    page = httpx.get(f"https://{MCP}{path}", headers={"Accept": "text/html,*/*;q=0.8"}, trust_env=False)
    assert page.status_code == 200
    assert f"https://{MCP}/mcp" in page.text


def test_issuer_is_the_public_url(deployment: Deployment) -> None:
    """The issuer is the same from outside and inside, and outside all URLs in the metadata are public."""
    outside = httpx.get(deployment.keycloak.discovery_url, trust_env=False).json()
    inside = httpx.get(deployment.administration.discovery_url, trust_env=False).json()
    assert outside["issuer"] == inside["issuer"] == f"https://{KEYCLOAK}/realms/nextcloud-mcp"
    assert outside["token_endpoint"].startswith(f"https://{KEYCLOAK}/")


def test_doctor_sees_no_drift(deployment: Deployment) -> None:
    """As in the how-to for upgrades, the doctor compares the live realm with the shipped one and finds no drift."""
    password = deployment.secrets / "keycloak_admin_password"
    options = ["-e", "KEYCLOAK_ADMIN=admin", "-e", "KEYCLOAK_ADMIN_PASSWORD_FILE=/run/password"]
    mount = ["-v", f"{password}:/run/password:ro"]
    done = deployment.attempt(
        "docker", "compose", "run", "--rm", "-T", *options, *mount, "mcp-exchange", "doctor", "--json"
    )
    steps = {step["code"]: step["outcome"] for step in json.loads(done.stdout)["steps"]}
    drift = {code: outcome for code, outcome in steps.items() if code.startswith("drift.")}
    assert len(drift) > 3
    assert set(drift.values()) == {"ok"}, done.stdout


def test_no_secret_is_in_configuration_or_logs(deployment: Deployment) -> None:
    """Neither the containers' configuration nor their logs contain a secret."""
    containers = deployment.compose("ps", "--all", "--quiet").split()
    shown = deployment.run("docker", "inspect", *containers) + deployment.compose("logs", "--no-color")
    secrets = {path.name: path.read_text() for path in deployment.secrets.iterdir()}
    assert len(secrets) == 8
    assert [name for name, secret in secrets.items() if secret in shown] == []


def test_secrets_script_keeps_existing_secrets(deployment: Deployment) -> None:
    """`secrets.sh` keeps existing secrets, prints none, and makes the folder accessible to its owner only."""
    before = {path.name: path.read_text() for path in deployment.secrets.iterdir()}
    printed = deployment.run(deployment.script("secrets.sh"))
    assert {path.name: path.read_text() for path in deployment.secrets.iterdir()} == before
    assert len(set(before.values())) == len(before)
    assert not any(secret in printed for secret in before.values())
    assert deployment.secrets.stat().st_mode & 0o777 == 0o700
