"""Who may see the token journey: people with the realm role `journey`, by the realm's client `journey` alone.

The endpoints are for the page that this server serves. So a token of another client is refused, although it is valid
for the tools: no other client can ask for the claims of the token for Nextcloud, or send its token there.
"""

from typing import Final

from nextcloud_mcp.auth.credentials import claims_of
from nextcloud_mcp.auth.verifier import Principal
from nextcloud_mcp.errors import JourneyRefusedError

CLIENT_ID: Final = "journey"
"""The client of the page, in the shipped realm."""

ROLE: Final = "journey"
"""The realm role that a person needs."""

ROLES_CLAIM: Final = "roles"
"""The claim in which the client's tokens list the person's roles: only `ROLE`, if the person has it."""


def check(principal: Principal) -> None:
    """Check that a person may see the journey.

    Raises:
        JourneyRefusedError: the token is another client's, or the person lacks the role.
    """
    if principal.client_id != CLIENT_ID:
        raise JourneyRefusedError("Only the page /journey may show a token's journey", "open that page, and sign in")
    roles = claims_of(principal.token).get(ROLES_CLAIM)
    if not isinstance(roles, list) or ROLE not in roles:
        raise JourneyRefusedError(
            "You may not see the token journey",
            "ask the administrator for the realm role {role}, and sign in again",
            role=ROLE,
        )
