"""The tool and resource about the signed-in user and the capabilities of Nextcloud."""

from typing import Any, Literal

from nextcloud_mcp.auth.scopes import Feature
from nextcloud_mcp.boundary.call import Admitted, AsUser, Shared
from nextcloud_mcp.boundary.declaration import Resource, Result, reads
from nextcloud_mcp.nextcloud import capabilities


class WhoAmI(Result):
    """The user, the server's mode, and what the token permits."""

    user_id: str
    display_name: str
    mode: Literal["exchange", "pass-through"]
    client_id: str | None
    granted_scopes: list[str]
    tools_left_out: dict[str, list[str]]
    """Tools that this token cannot call, with the scopes that it lacks for each."""
    how_to_get_more: str | None


@reads("Who is signed in", scopes="")
async def nc_whoami(nextcloud: AsUser, admission: Admitted, shared: Shared) -> WhoAmI:
    """Show who is signed in to Nextcloud, through which client, and which tools the token's scopes do not allow."""
    user = await nextcloud.user()
    granted = admission.principal.scopes
    missing = {tool: shared.offer.missing(Feature("tool", tool), granted) for tool in shared.offer.tools}
    left_out = {tool: sorted(scopes) for tool, scopes in missing.items() if scopes}
    lacking = sorted({scope for scopes in left_out.values() for scope in scopes})
    return WhoAmI(
        user_id=user.id,
        display_name=user.displayname,
        mode=shared.mode,
        client_id=admission.principal.client_id,
        granted_scopes=sorted(granted),
        tools_left_out=left_out,
        how_to_get_more=f"Sign in again and grant: {' '.join(lacking)}" if lacking else None,
    )


async def nextcloud_capabilities(nextcloud: AsUser) -> dict[str, Any]:
    """Return the version of Nextcloud and the capabilities of its apps, as Nextcloud returns them (OCS)."""
    return await capabilities.whole(nextcloud)


RESOURCES = (Resource("nc://capabilities", nextcloud_capabilities, "Capabilities of Nextcloud", scopes=""),)
