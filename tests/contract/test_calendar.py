"""What we rely on in calendars: CalDAV (RFC 4791) and scheduling (RFC 6638), as Nextcloud does both."""

import uuid
from typing import Final

import pytest
from defusedxml.ElementTree import fromstring

from stack.standin.app import HEADER
from tests.contract.calendars import MEDIA_TYPE, NAMESPACES, C, Place, ics, look, make, within
from tests.contract.people import Person
from tests.support.ics import TASKS, WRITTEN_BY, unfolded

WRITES: Final = {"{DAV:}write", "{DAV:}all"}

EXACT: Final = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example Corp.//Client 7//EN
X-WR-CALNAME:Kept
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260101T000000Z
DTSTART;TZID=W. Europe Standard Time:20301202T090000
DTEND;TZID=W. Europe Standard Time:20301202T100000
SUMMARY;LANGUAGE=de:Grüße\\, alle
X-EXAMPLE;X-PARAM="a;b":whatever\\, it is
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT15M
DESCRIPTION:Soon
X-EXAMPLE-ALARM:kept
END:VALARM
END:VEVENT
END:VCALENDAR
"""


async def test_everybody_has_a_calendar_for_events(alice: Person) -> None:
    """`personal` is there from the first call on, can be written to, and takes events but no tasks."""
    home = await look(alice, f"/remote.php/dav/calendars/{alice.user}/", "1")
    (personal,) = [each for each in home if each.findtext("{DAV:}href", "").endswith("/personal/")]
    assert personal.find(f".//{{DAV:}}resourcetype/{C}calendar") is not None
    assert [each.get("name") for each in personal.iter(f"{C}comp")] == ["VEVENT"]
    assert WRITES & {each.tag for each in personal.iterfind(".//{DAV:}privilege/*")}


async def test_a_calendar_says_what_it_was_made_with(alice: Person, place: Place) -> None:
    """Name, color, description and components come back; there is a tag that tells of changes."""
    (made,) = await look(alice, place.path)
    assert made.findtext(".//{DAV:}displayname") == "Contract & more"
    assert made.findtext(".//{http://apple.com/ns/ical/}calendar-color") == "#1976D2"
    assert made.findtext(f".//{C}calendar-description") == "A place"
    assert [each.get("name") for each in made.iter(f"{C}comp")] == ["VEVENT", "VTODO"]
    assert made.findtext(".//{http://calendarserver.org/ns/}getctag")


async def test_a_calendar_can_be_changed(alice: Person, place: Place) -> None:
    """PROPPATCH answers 207, with 200 for each property."""
    body = (
        f"<d:propertyupdate {NAMESPACES}><d:set><d:prop><d:displayname>Contract &amp; more</d:displayname>"
        "<i:calendar-color>#1976D2</i:calendar-color></d:prop></d:set></d:propertyupdate>"
    )
    answer = await alice.http.request("PROPPATCH", place.path, content=body)
    assert answer.status_code == 207
    assert all(" 200 " in (each.text or "") for each in fromstring(answer.content).iter("{DAV:}status"))


async def test_a_name_stays_taken(alice: Person) -> None:
    """405 for a calendar that is there, and for one that was deleted: it is in the trash bin, under its name."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    assert (await make(alice, name, "VTODO")).status_code == 201
    assert (await make(alice, name, "VTODO")).status_code == 405
    event = await Place(alice, name).put("a", ics(uuid.uuid4().hex))
    assert (event.status_code, "supported-calendar-component" in event.text) == (403, True)
    assert (await alice.http.delete(Place(alice, name).path)).status_code == 204
    assert (await make(alice, name, "VTODO")).status_code == 405


async def test_a_deleted_calendar_says_so(alice: Person) -> None:
    """Nextcloud goes on answering at its address, even to what is written there, but tells when it was deleted."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    await make(alice, name, "VEVENT")
    assert (await alice.http.delete(Place(alice, name).path)).status_code == 204
    body = (
        f'<d:propfind {NAMESPACES} xmlns:n="http://nextcloud.com/ns"><d:prop><d:resourcetype/><n:deleted-at/></d:prop>'
        "</d:propfind>"
    )
    answer = await alice.http.request("PROPFIND", Place(alice, name).path, content=body, headers={"Depth": "0"})
    assert answer.status_code == 404 or fromstring(answer.content).findtext(".//{http://nextcloud.com/ns}deleted-at")
    home = await alice.http.request(
        "PROPFIND", f"/remote.php/dav/calendars/{alice.user}/", content=body, headers={"Depth": "1"}
    )
    listed = [
        each
        for each in fromstring(home.content).iter("{DAV:}response")
        if each.findtext("{DAV:}href", "").endswith(f"/{name}/")
    ]
    assert all(each.findtext(".//{http://nextcloud.com/ns}deleted-at") for each in listed)


async def test_an_object_is_kept_as_it_is(place: Place, uid: str) -> None:
    """Every line that a program wrote is what all read, with the ETag that writing gave."""
    ical = EXACT.format(uid=uid)
    written = await place.put(uid, ical, If_None_Match="*")
    assert written.status_code == 201
    read = await place.http.get(f"{place.path}{uid}.ics")
    etag, found = (await place.query(""))[uid]
    assert sorted(read.text.splitlines()) == sorted(found.splitlines()) == sorted(ical.splitlines())
    assert read.headers["etag"] == etag == written.headers["etag"]


@pytest.mark.parametrize("program", sorted(WRITTEN_BY))
async def test_an_event_of_another_program_is_kept_as_it_is(place: Place, uid: str, program: str) -> None:
    """Its folds and its ways to write a value included."""
    ical = WRITTEN_BY[program].replace("UID:theirs", f"UID:{uid}").replace("METHOD:PUBLISH\n", "")
    await kept(place, uid, ical, "VEVENT")


@pytest.mark.parametrize("program", sorted(TASKS))
async def test_a_task_of_another_program_is_kept_as_it_is(place: Place, uid: str, program: str) -> None:
    """As an event is."""
    await kept(place, uid, TASKS[program].replace("UID:theirs", f"UID:{uid}"), "VTODO")


async def kept(place: Place, uid: str, ical: str, kind: str) -> None:
    """Write an object, and hold what a query gives against it; the order of lines is nobody's business."""
    if HEADER in (await place.http.get("/status.php")).headers:
        pytest.skip("the stand-in writes objects anew, with parameters in another order and further zones")
    written = await place.put(uid, ical.replace("\n", "\r\n"))
    assert written.status_code == 201, written.text
    found = (await place.query("", kind))[uid][1]
    assert sorted(unfolded(found)) == sorted(unfolded(ical))


async def test_only_new_objects_on_request(place: Place, uid: str) -> None:
    """`If-None-Match: *` refuses to replace."""
    await place.put(uid, ics(uid))
    assert (await place.put(uid, ics(uid), If_None_Match="*")).status_code == 412


async def test_etags_protect(alice: Person, place: Place, uid: str) -> None:
    """`If-Match` with an old ETag is a 412 for PUT, DELETE and MOVE and changes nothing; the right one lets do it."""
    old = (await place.put(uid, ics(uid))).headers["etag"]
    new = await place.put(uid, ics(uid, "DTSTART:20301203T100000Z"), If_Match=old)
    assert (new.status_code, new.headers["etag"] != old) == (204, True)
    elsewhere = Place(alice, "personal").path.replace(
        "/remote.php", f"{str(alice.http.base_url).rstrip('/')}/remote.php"
    )
    headers = {"If-Match": old, "Destination": f"{elsewhere}{uid}.ics", "Overwrite": "F"}
    assert (await place.put(uid, ics(uid), If_Match=old)).status_code == 412
    for method in ("DELETE", "MOVE"):
        assert (await place.http.request(method, f"{place.path}{uid}.ics", headers=headers)).status_code == 412
    assert "20301203" in (await place.query(""))[uid][1]
    headers["If-Match"] = new.headers["etag"]
    assert (await place.http.request("DELETE", f"{place.path}{uid}.ics", headers=headers)).status_code == 204
    assert (await place.http.delete(f"{place.path}{uid}.ics")).status_code == 404


async def test_an_object_can_be_moved(alice: Person, place: Place, uid: str) -> None:
    """MOVE: 201 with the same content elsewhere, 409 where there is no calendar, and no second one of the same UID.

    That is a 400; one of the same name is a 412, as an ETag that is old.
    """
    root = str(alice.http.base_url).rstrip("/")
    personal = Place(alice, "personal")
    await place.put(uid, ics(uid))
    for target, statuses in {
        f"{root}{place.path[:-1]}-none/{uid}.ics": {409},
        f"{root}{personal.path}{uid}.ics": {201},
    }.items():
        headers = {"Destination": target, "Overwrite": "F"}
        answer = await place.http.request("MOVE", f"{place.path}{uid}.ics", headers=headers)
        assert answer.status_code in statuses
    assert uid in (await place.http.get(f"{personal.path}{uid}.ics")).text
    twin = uuid.uuid4().hex
    await place.put(twin, ics(uid))
    headers = {"Destination": f"{root}{personal.path}{twin}.ics", "Overwrite": "F"}
    answer = await place.http.request("MOVE", f"{place.path}{twin}.ics", headers=headers)
    assert answer.status_code == 400
    await place.put(uid, ics(twin))
    headers = {"Destination": f"{root}{personal.path}{uid}.ics", "Overwrite": "F"}
    answer = await place.http.request("MOVE", f"{place.path}{uid}.ics", headers=headers)
    assert answer.status_code == 412
    await place.http.delete(f"{personal.path}{uid}.ics")


async def test_a_calendar_takes_what_it_was_made_for(alice: Person, uid: str) -> None:
    """A task in a calendar for events is a 403 that names the reason."""
    answer = await Place(alice, "personal").put(uid, ics(uid, "SUMMARY:Milk", kind="VTODO"))
    assert (answer.status_code, "supported-calendar-component" in answer.text) == (403, True)


async def test_a_calendar_that_is_not_there(alice: Person, uid: str) -> None:
    """404 for all that is done to it."""
    none = Place(alice, f"none-{uid}")
    assert (await none.put(uid, ics(uid))).status_code == 404
    query = f'<c:calendar-query {NAMESPACES}><d:prop/><c:filter><c:comp-filter name="VCALENDAR"/></c:filter>'
    bodies = {"REPORT": f"{query}</c:calendar-query>", "PROPFIND": "", "DELETE": ""}
    for method, body in bodies.items():
        answer = await none.http.request(method, none.path, content=body, headers={"Depth": "1"})
        assert answer.status_code == 404, method


async def test_an_object_is_found_by_a_part_of_its_uid(place: Place, uid: str) -> None:
    """A text match finds all that has the text somewhere, so whoever looks for one has to compare."""
    await place.put(f"{uid}-a", ics(f"{uid}-a"))
    await place.put(f"{uid}-ab", ics(f"{uid}-ab"))
    match = '<c:prop-filter name="UID"><c:text-match collation="i;octet">{}</c:text-match></c:prop-filter>'
    assert (await place.query(match.format(f"{uid}-a"))).keys() == {f"{uid}-a", f"{uid}-ab"}
    assert (await place.query(match.format(f"{uid}-ab"))).keys() == {f"{uid}-ab"}
    assert await place.query(match.format("nothing")) == {}


TIMES: Final[dict[str, tuple[tuple[str, ...], bool]]] = {
    "within": (("DTSTART:20301202T100000Z", "DTEND:20301202T110000Z"), True),
    "before": (("DTSTART:20301129T100000Z", "DTEND:20301129T110000Z"), False),
    "still going on": (("DTSTART:20301129T100000Z", "DTEND:20301202T110000Z"), True),
    "a series from long ago": (
        ("DTSTART;TZID=Europe/Berlin:20290101T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"),
        True,
    ),
    "a series that has ended": (("DTSTART:20290101T090000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=3"), False),
    "all day": (("DTSTART;VALUE=DATE:20301203", "DTEND;VALUE=DATE:20301204"), True),
    "floating": (("DTSTART:20301204T100000", "DTEND:20301204T110000"), True),
}


@pytest.mark.parametrize(("lines", "found"), TIMES.values(), ids=TIMES.keys())
async def test_objects_are_found_by_time(place: Place, uid: str, lines: tuple[str, ...], *, found: bool) -> None:
    """The server expands rules to see what happens in a time, and gives the object as it is stored."""
    await place.put(uid, ics(uid, *lines))
    answer = await place.query(within("20301201T000000Z", "20301208T000000Z"))
    assert (uid in answer) is found
    assert not found or lines[0] in answer[uid][1]


LEFT_OUT: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "a series with one date more": (
        ("DTSTART:20301001T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY", "RDATE:20301004T100000Z"),
        "RDATE",
    ),
    "a date more and no rule": (("DTSTART:20301001T100000Z", "DURATION:PT1H", "RDATE:20301203T100000Z"), "RDATE"),
    "every day for more than nine years": (("DTSTART:20200101T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY"), "RRULE"),
}


@pytest.mark.parametrize(("lines", "property_name"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
async def test_a_time_does_not_find_every_series(
    place: Place, uid: str, lines: tuple[str, ...], property_name: str
) -> None:
    """Of a series with RDATE the rule is not looked at, and one of more than 3,500 occurrences is given up.

    Asked for by the property that they have, they are found.
    """
    await place.put(uid, ics(uid, *lines))
    await place.put(f"{uid}-once", ics(f"{uid}-once"))
    assert (await place.query(within("20301201T000000Z", "20301208T000000Z"))).keys() == {f"{uid}-once"}
    assert (await place.query(f'<c:prop-filter name="{property_name}"/>')).keys() == {uid}


async def test_no_time_is_known_from_2038_on(place: Place, uid: str) -> None:
    """A series without end is not found in a time from that year on."""
    await place.put(uid, ics(uid, "DTSTART:20301202T100000Z", "DURATION:PT1H", "RRULE:FREQ=MONTHLY"))
    assert (await place.query(within("20371201T000000Z", "20371208T000000Z"))).keys() == {uid}
    assert (await place.query(within("20381201T000000Z", "20381208T000000Z"))).keys() == set()


async def test_kinds_are_kept_apart(place: Place, uid: str) -> None:
    """A query for tasks finds no events, and the other way round."""
    await place.put(f"{uid}-e", ics(f"{uid}-e"))
    await place.put(f"{uid}-t", ics(f"{uid}-t", "SUMMARY:Milk", kind="VTODO"))
    assert (await place.query("")).keys() == {f"{uid}-e"}
    assert (await place.query("", "VTODO")).keys() == {f"{uid}-t"}


async def address(person: Person) -> str:
    """The mail address that calendars know somebody by."""
    path = f"/remote.php/dav/principals/users/{person.user}/"
    body = f"<d:propfind {NAMESPACES}><d:prop><c:calendar-user-address-set/></d:prop></d:propfind>"
    answer = await person.http.request("PROPFIND", path, content=body, headers={"Depth": "0"})
    hrefs = [each.text or "" for each in fromstring(answer.content).iter("{DAV:}href")]
    found = [href for href in hrefs if href.startswith("mailto:")]
    if not found:
        pytest.skip(f"{person.user} has no mail address in this Nextcloud, so that nobody can ask when they are free")
    return found[0]


def question(organizer: str, *attendees: str) -> str:
    """Who is busy on 2 and 3 December 2030?"""
    lines = [f"ATTENDEE:{each}" for each in attendees]
    ask = ics(
        "q", "DTSTART:20301202T000000Z", "DTEND:20301204T000000Z", f"ORGANIZER:{organizer}", *lines, kind="VFREEBUSY"
    )
    return ask.replace("VERSION:2.0", "VERSION:2.0\r\nMETHOD:REQUEST")


async def test_the_outbox_says_who_is_busy(alice: Person, bob: Person, uid: str) -> None:
    """Each recipient's reply has their busy times, and nothing of what it is; who is unknown has no reply."""
    own, other = await address(alice), await address(bob)
    personal = Place(bob, "personal")
    await personal.put(uid, ics(uid))
    outbox = f"/remote.php/dav/calendars/{alice.user}/outbox/"
    asked = question(own, own, other, "mailto:stranger@example.com")
    answer = await alice.http.post(outbox, content=asked.encode(), headers=MEDIA_TYPE)
    await personal.http.delete(f"{personal.path}{uid}.ics")
    assert answer.status_code == 200
    replies = {
        each.findtext(f"{C}recipient/{{DAV:}}href"): each.findtext(f"{C}calendar-data")
        for each in fromstring(answer.content).iter(f"{C}response")
    }
    assert replies.keys() == {own, other, "mailto:stranger@example.com"}
    assert "20301202T100000Z/" in (replies[other] or "")
    assert "20301202T100000Z/" not in (replies[own] or "20301202T100000Z/")
    assert replies["mailto:stranger@example.com"] is None


async def test_nobody_asks_in_anothers_name(alice: Person, bob: Person) -> None:
    """The organizer of the question must be who asks."""
    other = await address(bob)
    answer = await alice.http.post(
        f"/remote.php/dav/calendars/{alice.user}/outbox/", content=question(other, other).encode(), headers=MEDIA_TYPE
    )
    assert answer.status_code == 403


async def test_a_calendar_says_when_it_is_busy(place: Place, uid: str) -> None:
    """The free-busy-query REPORT of one calendar needs no address."""
    await place.put(uid, ics(uid))
    body = f"<c:free-busy-query {NAMESPACES}>{within('20301202T000000Z', '20301204T000000Z')}</c:free-busy-query>"
    answer = await place.http.request("REPORT", place.path, content=body, headers={"Depth": "1"})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/calendar")
    assert "20301202T100000Z/" in answer.text


async def test_free_busy_misses_what_a_rule_gives_beside_dates(place: Place, uid: str) -> None:
    """Of a series with RDATE, Nextcloud looks at those dates alone: whoever asks has to read the series."""
    weekly = ("DTSTART:20301104T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY", "RDATE:20301203T150000Z")
    await place.put(uid, ics(uid, *weekly))
    await place.put(f"{uid}-once", ics(f"{uid}-once", "DTSTART:20301202T120000Z", "DURATION:PT1H"))
    body = f"<c:free-busy-query {NAMESPACES}>{within('20301202T000000Z', '20301204T000000Z')}</c:free-busy-query>"
    answer = await place.http.request("REPORT", place.path, content=body, headers={"Depth": "1"})
    assert answer.status_code == 200
    assert "20301202T120000Z/" in answer.text
    assert "20301202T100000Z/" not in answer.text


async def test_an_invitation_is_stored_with_what_became_of_it(alice: Person, uid: str) -> None:
    """Writing one gives no ETag, for what is stored is not what was sent; asking for it does."""
    own = await address(alice)
    place = Place(alice, "personal")
    invited = (f"ORGANIZER:{own}", "ATTENDEE;RSVP=TRUE:mailto:nobody@example.invalid")
    written = await place.put(uid, ics(uid, "DTSTART:20301202T100000Z", "DTEND:20301202T110000Z", *invited))
    assert (written.status_code, written.headers.get("etag")) == (201, None)
    (there,) = await look(alice, f"{place.path}{uid}.ics")
    assert there.findtext(".//{DAV:}getetag")
    await place.http.delete(f"{place.path}{uid}.ics")


async def test_nobody_sees_anothers_calendars(bob: Person, alice: Person) -> None:
    """They are not there for them."""
    answer = await bob.http.request("PROPFIND", Place(alice, "personal").path, headers={"Depth": "0"})
    assert answer.status_code == 404
