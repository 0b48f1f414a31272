"""`clients.admin`: which responses of Keycloak end a run, and which do not."""

from typing import Final

import anyio.to_thread
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nextcloud_mcp.admin_api import Account
from nextcloud_mcp.clients.admin import Realm
from nextcloud_mcp.errors import ClientsError
from tests.support.listening import listening

JANITOR: Final = Account("client-janitor", "s3cret", is_client=True)
ADMINISTRATOR: Final = Account("root", "s3cret", is_client=False)
TOKEN: Final = {"access_token": "x", "expires_in": 60, "token_type": "Bearer"}


async def mark(status: int, account: Account = JANITOR) -> None:
    """Write a client's last use to a Keycloak that answers with this status."""
    routes = [
        *(
            Route(f"/realms/{realm}/protocol/openid-connect/token", lambda _: JSONResponse(TOKEN), methods=["POST"])
            for realm in ("cloud", "master")
        ),
        Route("/admin/realms/cloud/clients/an-id", lambda _: Response(status_code=status), methods=["PUT"]),
    ]
    async with listening(Starlette(routes=routes)) as url:
        realm = Realm(f"{url}/realms/cloud/.well-known/openid-configuration", account)
        await anyio.to_thread.run_sync(realm.mark, "an-id", 1_800_000_000.0)


@pytest.mark.parametrize("status", [204, 404], ids=["written", "deleted meanwhile"])
async def test_client_that_was_deleted_meanwhile_needs_no_mark(status: int) -> None:
    """A client may delete itself (RFC 7592) between the survey and the mark: the run goes on."""
    await mark(status)


@pytest.mark.parametrize(
    ("account", "roles"),
    [(JANITOR, "the secret, the roles (keycloak/README.md)"), (ADMINISTRATOR, "view-clients and view-events")],
    ids=["janitor", "administrator"],
)
async def test_refusal_names_the_account_and_the_roles_that_it_needs(account: Account, roles: str) -> None:
    """Without its permission, the run ends with the account's name and the next step, and without its secret."""
    with pytest.raises(ClientsError, match=f"'{account.name}' cannot read or change .*HTTP 403") as caught:
        await mark(403, account)
    assert roles in str(caught.value)
    assert "s3cret" not in str(caught.value)
