"""People by what others call them, for the tools of apps that know uids alone."""

from typing import Any

from nextcloud_mcp.auth.admission import Admission
from nextcloud_mcp.nextcloud import sharing
from nextcloud_mcp.nextcloud.client import Nextcloud


def as_uid(given: Any) -> Any:
    """Return the uid of somebody who is given as reading shows people: as an object, or as an assignment."""
    found = given.get("participant", given) if isinstance(given, dict) else given
    uid = found.get("uid") if isinstance(found, dict) else found
    return uid if isinstance(uid, str) else given


async def find_person(nextcloud: Nextcloud, given: str, admission: Admission) -> str:
    """Return the uid of the account with this id, mail address or display name.

    Nextcloud has no other search for people than the one for those to share with. It is asked if the token may share;
    else `given` is returned, as it is where nobody is found.

    Raises:
        InvalidArgumentError: there is more than one.
    """
    if "sharing:write" not in admission.principal.scopes:
        return given
    return await sharing.find_recipient(nextcloud, given, sharing.USER)
