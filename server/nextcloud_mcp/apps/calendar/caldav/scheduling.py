"""Free/busy requests (RFC 6638 section 5; RFC 4791 section 7.10), and the address by which they know the user.

`ask_outbox` sends a POST, because RFC 6638 defines free/busy requests so. It stores nothing and notifies nobody.
"""

from datetime import datetime
from xml.etree.ElementTree import Element, SubElement

from nextcloud_mcp.apps.calendar.caldav.resources import MEDIA_TYPE, C, calendar_home, describe, format_utc, path_of
from nextcloud_mcp.nextcloud import dav
from nextcloud_mcp.nextcloud.client import Nextcloud


async def mail_address(nextcloud: Nextcloud) -> str | None:
    """Return the `mailto:` URI of the user in Nextcloud's calendars (RFC 6638 section 2.4.1), or None."""
    response = await nextcloud.request(
        "PROPFIND",
        f"/remote.php/dav/principals/users/{await nextcloud.principal_name()}/",
        about="your account",
        headers={"Depth": "0"},
        content=dav.propfind(f"{C}calendar-user-address-set"),
    )
    addresses = [href.text or "" for href in dav.responses(response)[0].iter(f"{dav.D}href")]
    return next((address for address in addresses if address.startswith("mailto:")), None)


async def ask_outbox(nextcloud: Nextcloud, request: str) -> dict[str, str | None]:
    """Send a VFREEBUSY request to the scheduling outbox; return the iCalendar replies by recipient.

    The reply is None for a recipient whom this Nextcloud does not know.
    """
    response = await nextcloud.request(
        "POST",
        f"{await calendar_home(nextcloud)}outbox/",
        about="the free/busy times",
        headers={"Content-Type": MEDIA_TYPE},
        content=request.encode(),
    )
    return {
        each.findtext(f"{C}recipient/{dav.D}href", ""): each.findtext(f"{C}calendar-data")
        for each in dav.document(response, f"{C}schedule-response").iter(f"{C}response")
    }


async def ask_calendar(nextcloud: Nextcloud, calendar: str, between: tuple[datetime, datetime]) -> str:
    """Return the busy times of one calendar as iCalendar (RFC 4791 section 7.10)."""
    document = Element(f"{C}free-busy-query")
    SubElement(document, f"{C}time-range", start=format_utc(between[0]), end=format_utc(between[1]))
    response = await nextcloud.request(
        "REPORT",
        await path_of(nextcloud, calendar),
        about=describe(calendar),
        headers={"Depth": "1"},
        content=dav.body(document),
    )
    return response.text
