"""Find users by mail address or display name, for the tools of apps that accept only uids."""

from typing import Any

from nextcloud_mcp.auth.admission import Admission
from nextcloud_mcp.nextcloud import sharees
from nextcloud_mcp.nextcloud.client import Nextcloud
from nextcloud_mcp.nextcloud.names import folded


def as_uid(given: Any) -> Any:
    """Return the uid in an object or assignment, which is how results show users, or else `given`."""
    found = given.get("participant", given) if isinstance(given, dict) else given
    uid = found.get("uid") if isinstance(found, dict) else found
    return uid if isinstance(uid, str) else given


async def find_person(nextcloud: Nextcloud, admission: Admission, given: str) -> str:
    """Return the uid of the account with this id, mail address or display name, or `given` if no account matches.

    Nextcloud's only search for users is that of the Sharee API, which omits the caller. It is used if the token has the
    scope `sharing:write`; otherwise no user is found.

    Raises:
        InvalidArgumentError: several users match.
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
