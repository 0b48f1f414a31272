"""The installed command reports a healthy deployment as such in both modes, and prints no secret."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio
import pytest

from stack.chain import Chain
from stack.config import EXCHANGE_CLIENT_SECRET
from stack.servers import COMMAND
from tests.support.oauth import ALICE, sign_in


def environment(chain: Chain, mode: str) -> dict[str, str]:
    """Return the settings of the run's server in this mode, and what gives admin access."""
    settings = {
        "NEXTCLOUD_HOST": chain.nextcloud.url,
        "OIDC_DISCOVERY_URL": chain.keycloak.discovery_url,
        "KEYCLOAK_ADMIN": chain.keycloak.admin_user,
        "KEYCLOAK_ADMIN_PASSWORD": chain.keycloak.admin_password,
    }
    if mode == "pass-through":
        return settings | {"NEXTCLOUD_MCP_SERVER_URL": chain.config.pass_through_url}
    exchange = {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET": EXCHANGE_CLIENT_SECRET}
    return settings | exchange | {"NEXTCLOUD_MCP_SERVER_URL": chain.config.exchange_url}


async def doctor(environ: Mapping[str, str], *options: str, token: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command with alice's token on its standard input."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    command = [str(COMMAND), "doctor", "--token-stdin", *options]
    return await anyio.run_process(command, input=token.encode(), env=kept | dict(environ), check=False)


@pytest.mark.parametrize("mode", ["exchange", "pass-through"])
async def test_healthy_deployment_passes_every_step(chain: Chain, mode: str) -> None:
    """Every step passes that can be checked: all but user_oidc's if there is no occ."""
    tokens = await sign_in(chain.keycloak, **ALICE, scope=f"nextcloud-mcp:{mode} files:read notes:read")
    token = str(tokens["access_token"])
    occ = ["--occ", chain.config.nextcloud_occ] if chain.config.nextcloud_occ else []
    environ = environment(chain, mode)
    done = await doctor(environ, "--json", *occ, token=token)
    report: dict[str, Any] = json.loads(done.stdout)

    complaints = {step["code"]: step["problems"] for step in report["steps"] if step["problems"]}
    assert complaints.keys() <= {"user_oidc.cache"}, complaints  # a Nextcloud without a memory cache works, slowly
    assert done.returncode == 0
    assert report["healthy"] is True
    skipped = {step["code"].partition(".")[0] for step in report["steps"] if step["outcome"] == "skipped"}
    assert skipped == (set() if occ else {"user_oidc"})
    shown = (done.stdout + done.stderr).decode()
    for secret in (token, token.rpartition(".")[2], EXCHANGE_CLIENT_SECRET, chain.keycloak.admin_password):
        assert secret not in shown
    assert done.stderr == b""


@contextmanager
def administrator(chain: Chain, *more: dict[str, str]) -> Iterator[dict[str, str]]:
    """Have one who may only read, as docs/how-to/upgrade.md makes one, in the doctor's environment.

    Args:
        chain: the real parts.
        more: credentials besides the password, as Keycloak has them.
    """
    admin = chain.keycloak.admin()
    admin.change_current_realm("master")
    password = secrets.token_urlsafe(16)
    person = {"username": "reader", "email": "reader@example.org", "firstName": "Some", "lastName": "One"}
    credentials = [{"type": "password", "value": password}, *more]
    user_id = admin.create_user(person | {"enabled": True, "credentials": credentials})
    of_realm = str(admin.get_client_id(f"{chain.keycloak.realm}-realm"))
    roles = [admin.get_client_role(of_realm, role) for role in ("view-realm", "view-clients")]
    admin.assign_client_role(user_id, of_realm, roles)
    try:
        yield {"KEYCLOAK_ADMIN": "reader", "KEYCLOAK_ADMIN_PASSWORD": password}
    finally:
        admin.delete_user(user_id)


async def drift_as(chain: Chain, admin: dict[str, str]) -> list[dict[str, Any]]:
    """Return the steps that take an administrator."""
    done = await doctor(environment(chain, "exchange") | admin, "--json", token="none")
    return [step for step in json.loads(done.stdout)["steps"] if step["code"].startswith("drift.")]


async def test_read_only_administrator_can_check_drift(chain: Chain) -> None:
    """The roles `view-realm` and `view-clients` are enough to compare the whole realm."""
    with administrator(chain) as reader:
        steps = await drift_as(chain, reader)
    assert {step["outcome"] for step in steps} == {"ok"}, steps


async def test_administrator_with_a_second_factor_is_refused(chain: Chain) -> None:
    """The doctor has only a password, and reports that the administrator needs another factor."""
    code = {"subType": "totp", "digits": 6, "counter": 0, "period": 30, "algorithm": "HmacSHA1"}
    factor = {"type": "otp", "secretData": '{"value": "a-secret-of-twenty-b"}', "credentialData": json.dumps(code)}
    with administrator(chain, factor) as reader:
        access, *others = await drift_as(chain, reader)
    (problem,) = access["problems"]
    assert "refuses reader the administration of nextcloud-mcp (HTTP 400)" in problem["cause"]
    assert "who has no second factor" in problem["fix"]
    assert {step["outcome"] for step in others} == {"skipped"}
