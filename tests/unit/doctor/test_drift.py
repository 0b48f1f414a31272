"""`doctor.drift`: how it reads the live realm; tests/doctor/ compares real ones."""

from collections.abc import Callable
from typing import Final

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from nextcloud_mcp.doctor import drift
from nextcloud_mcp.doctor.deployment import Deployment, Options
from nextcloud_mcp.doctor.finding import Fault, readable
from nextcloud_mcp.settings import load_settings
from tests.support.http import patient_client
from tests.support.listening import listening
from tests.support.server import EXCHANGE

TOKEN: Final = {"access_token": "x", "expires_in": 60, "token_type": "Bearer"}


async def read(answer: Callable[[Request], Response]) -> Deployment:
    """Read a realm of a Keycloak under a path, whose administration answers so."""
    routes = [
        Route("/auth/realms/master/protocol/openid-connect/token", lambda _: JSONResponse(TOKEN), methods=["POST"]),
        Route("/auth/admin/realms/{path:path}", answer),
    ]
    async with listening(Starlette(routes=routes)) as url, patient_client() as http:
        issuer = f"{url}/auth/realms/cloud"
        environ = {**EXCHANGE, "OIDC_DISCOVERY_URL": f"{issuer}/.well-known/openid-configuration"}
        deployment = Deployment(load_settings(environ), Options(admin=("root", "secret")), http, http)
        deployment.metadata = {"issuer": issuer}
        await drift.access(deployment)
        return deployment


async def test_keycloak_base_path_is_kept() -> None:
    """If Keycloak has an `http-relative-path`, its admin API has it too."""
    deployment = await read(lambda request: JSONResponse([request.url.path]))
    assert deployment.live["realm"] == ["/auth/admin/realms/cloud"]
    assert deployment.live["clients"] == ["/auth/admin/realms/cloud/clients"]


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        pytest.param(lambda _: HTMLResponse("Sign in"), "HTTP 200, text/html", id="a proxy's login"),
        pytest.param(lambda _: HTMLResponse("", 404), "HTTP 404", id="hidden"),
        pytest.param(lambda _: JSONResponse({"error": "HTTP 403 Forbidden"}, 403), "HTTP 403", id="no administrator"),
    ],
)
async def test_response_without_admin_api_is_reported(answer: Callable[[Request], Response], seen: str) -> None:
    """Another response than that of the admin API is reported without a crash."""
    with pytest.raises(Fault, match=f"refuses root the administration of cloud .{seen}"):
        await read(answer)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            [{"condition": "any-client", "configuration": {}}],
            (
                'lacks {"condition": "client-roles", "configuration": {"roles": ["a"]}} and '
                'has {"condition": "any-client", "configuration": {}} besides'
            ),
        ),
        ([], 'lacks {"condition": "client-roles", "configuration": {"roles": ["a"]}}'),
    ],
)
async def test_settings_with_parts_are_shown_as_keycloak_writes_them(found: list[object], sentence: str) -> None:
    """A list of objects is shown as JSON, which can be copied to Keycloak's editor, and not as Python writes it."""
    condition = {"condition": "client-roles", "configuration": {"roles": ["a"]}}
    async with patient_client() as http:
        deployment = Deployment(load_settings(EXCHANGE), Options(), http, http)
    deployment.shipped = {
        "clientProfiles": {"profiles": []},
        "clientPolicies": {"policies": [{"name": "p", "conditions": [condition]}]},
    }
    deployment.live = {
        "clientProfiles": {"profiles": []},
        "clientPolicies": {"policies": [{"name": "p", "conditions": found}]},
    }
    (problem,) = (await drift.policies(deployment)).problems
    assert problem.cause == f"The client policy p, in conditions, {sentence}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        ("a", "a"),
        ([], "nothing"),
        (["a", "b"], "a, b"),
        ([{"a": None}, True], '{"a": null}, true'),
        ({"a": ["b"]}, '{"a": ["b"]}'),
    ],
)
def test_values_of_others_are_readable(value: object, text: str) -> None:
    """What another program sent is shown without Python's notation: no `None`, `True`, `['a']` or `{'a': 1}`."""
    assert readable(value) == text
