"""People by what others call them, for the tools of apps that know uids alone."""

from typing import Any

from nextcloud_mcp.auth.admission import Admission
from nextcloud_mcp.nextcloud import sharees
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import folded


def as_uid(given: Any) -> Any:
    """Return the uid of somebody who is given as reading shows people: as an object, or as an assignment."""
    found = given.get("participant", given) if isinstance(given, dict) else given
    uid = found.get("uid") if isinstance(found, dict) else found
    return uid if isinstance(uid, str) else given


async def find_person(nextcloud: Nextcloud, admission: Admission, given: str) -> str:
    """Return the uid of the account with this id, mail address or display name, or `given` where nobody is found.

    Nextcloud has no other search for people than the one for those to share with, which leaves out who asks. It is
    asked if the token may share; without that, nobody is found.

    Raises:
        InvalidArgumentError: there is more than one.
    """
    if "sharing:write" not in admission.principal.scopes:
        return given
    known = await sharees.matching(nextcloud, given, sharees.USER)
    if given in known:
        return given
    me = await nextcloud.user()
    if folded(given) in {folded(each) for each in (me.id, me.displayname, me.email or "")}:
        known[me.id] = me.displayname
    return sharees.only_one(known, given, sharees.USER)
