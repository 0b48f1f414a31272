"""Calendars: CalDAV (RFC 4791) and scheduling (RFC 6638) as Nextcloud implements them."""

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


async def test_default_calendar_takes_events_only(alice: Person) -> None:
    """Every user has the writable calendar `personal` from the first call on; it takes events but no tasks."""
    home = await look(alice, f"/remote.php/dav/calendars/{alice.user}/", "1")
    (personal,) = [each for each in home if each.findtext("{DAV:}href", "").endswith("/personal/")]
    assert personal.find(f".//{{DAV:}}resourcetype/{C}calendar") is not None
    assert [each.get("name") for each in personal.iter(f"{C}comp")] == ["VEVENT"]
    assert WRITES & {each.tag for each in personal.iterfind(".//{DAV:}privilege/*")}


async def test_calendar_returns_its_properties_and_ctag(alice: Person, place: Place) -> None:
    """PROPFIND returns the name, color, description and components, and a tag that changes with the content."""
    (made,) = await look(alice, place.path)
    assert made.findtext(".//{DAV:}displayname") == "Contract & more"
    assert made.findtext(".//{http://apple.com/ns/ical/}calendar-color") == "#1976D2"
    assert made.findtext(f".//{C}calendar-description") == "A place"
    assert [each.get("name") for each in made.iter(f"{C}comp")] == ["VEVENT", "VTODO"]
    assert made.findtext(".//{http://calendarserver.org/ns/}getctag")


async def test_proppatch_changes_a_calendar(alice: Person, place: Place) -> None:
    """PROPPATCH gets 207, with 200 for each property."""
    body = (
        f"<d:propertyupdate {NAMESPACES}><d:set><d:prop><d:displayname>Contract &amp; more</d:displayname>"
        "<i:calendar-color>#1976D2</i:calendar-color></d:prop></d:set></d:propertyupdate>"
    )
    answer = await alice.http.request("PROPPATCH", place.path, content=body)
    assert answer.status_code == 207
    assert all(" 200 " in (each.text or "") for each in fromstring(answer.content).iter("{DAV:}status"))


async def test_deleted_calendar_keeps_its_name(alice: Person) -> None:
    """MKCALENDAR gets 405 for an existing calendar and for a deleted one, which keeps its name in the trash bin."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    assert (await make(alice, name, "VTODO")).status_code == 201
    assert (await make(alice, name, "VTODO")).status_code == 405
    event = await Place(alice, name).put("a", ics(uuid.uuid4().hex))
    assert (event.status_code, "supported-calendar-component" in event.text) == (403, True)
    assert (await alice.http.delete(Place(alice, name).path)).status_code == 204
    assert (await make(alice, name, "VTODO")).status_code == 405


async def test_deleted_calendar_still_answers_with_deletion_time(alice: Person) -> None:
    """Nextcloud still accepts requests to its address, even writes, but returns the time of its deletion."""
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


async def test_object_is_stored_unchanged(place: Place, uid: str) -> None:
    """Reading an object returns every line as it was written, with the ETag from the write."""
    ical = EXACT.format(uid=uid)
    written = await place.put(uid, ical, If_None_Match="*")
    assert written.status_code == 201
    read = await place.http.get(f"{place.path}{uid}.ics")
    etag, found = (await place.query(""))[uid]
    assert sorted(read.text.splitlines()) == sorted(found.splitlines()) == sorted(ical.splitlines())
    assert read.headers["etag"] == etag == written.headers["etag"]


@pytest.mark.parametrize("program", sorted(WRITTEN_BY))
async def test_event_of_another_program_is_stored_unchanged(place: Place, uid: str, program: str) -> None:
    """An event is stored with its line folds and spelling of values."""
    ical = WRITTEN_BY[program].replace("UID:theirs", f"UID:{uid}").replace("METHOD:PUBLISH\n", "")
    await kept(place, uid, ical, "VEVENT")


@pytest.mark.parametrize("program", sorted(TASKS))
async def test_task_of_another_program_is_stored_unchanged(place: Place, uid: str, program: str) -> None:
    """A task is stored with its line folds and spelling of values."""
    await kept(place, uid, TASKS[program].replace("UID:theirs", f"UID:{uid}"), "VTODO")


async def kept(place: Place, uid: str, ical: str, kind: str) -> None:
    """Write an object, and hold what a query gives against it; the order of lines is nobody's business."""
    if HEADER in (await place.http.get("/status.php")).headers:
        pytest.skip("the stand-in writes objects anew, with parameters in another order and further zones")
    written = await place.put(uid, ical.replace("\n", "\r\n"))
    assert written.status_code == 201, written.text
    found = (await place.query("", kind))[uid][1]
    assert sorted(unfolded(found)) == sorted(unfolded(ical))


async def test_if_none_match_refuses_to_replace(place: Place, uid: str) -> None:
    """`If-None-Match: *` refuses to replace an object."""
    await place.put(uid, ics(uid))
    assert (await place.put(uid, ics(uid), If_None_Match="*")).status_code == 412


async def test_if_match_refuses_a_stale_etag(alice: Person, place: Place, uid: str) -> None:
    """PUT, DELETE and MOVE with a stale ETag get 412 and change nothing; with the current ETag they succeed."""
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


async def test_move_of_an_object(alice: Person, place: Place, uid: str) -> None:
    """MOVE gets 201 and keeps the content, and 409 if the calendar does not exist.

    It gets 400 if the destination has an object with the same UID, and 412 if it has one with the same name, like a
    stale ETag.
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


async def test_unsupported_component_is_403(alice: Person, uid: str) -> None:
    """A task in a calendar for events gets 403 with the reason."""
    answer = await Place(alice, "personal").put(uid, ics(uid, "SUMMARY:Milk", kind="VTODO"))
    assert (answer.status_code, "supported-calendar-component" in answer.text) == (403, True)


async def test_missing_calendar_is_404(alice: Person, uid: str) -> None:
    """Every request to a missing calendar gets 404."""
    none = Place(alice, f"none-{uid}")
    assert (await none.put(uid, ics(uid))).status_code == 404
    query = f'<c:calendar-query {NAMESPACES}><d:prop/><c:filter><c:comp-filter name="VCALENDAR"/></c:filter>'
    bodies = {"REPORT": f"{query}</c:calendar-query>", "PROPFIND": "", "DELETE": ""}
    for method, body in bodies.items():
        answer = await none.http.request(method, none.path, content=body, headers={"Depth": "1"})
        assert answer.status_code == 404, method


async def test_uid_query_matches_substrings(place: Place, uid: str) -> None:
    """A text match on UID finds every UID that contains the text, so clients have to compare."""
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
async def test_time_range_query_expands_recurrence(
    place: Place, uid: str, lines: tuple[str, ...], *, found: bool
) -> None:
    """A time-range query considers every occurrence, and returns objects as they are stored."""
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
async def test_time_range_query_misses_some_series(
    place: Place, uid: str, lines: tuple[str, ...], property_name: str
) -> None:
    """It ignores the rule of a series with RDATE, and gives up on a series with more than 3,500 occurrences.

    A query for the property finds these series.
    """
    await place.put(uid, ics(uid, *lines))
    await place.put(f"{uid}-once", ics(f"{uid}-once"))
    assert (await place.query(within("20301201T000000Z", "20301208T000000Z"))).keys() == {f"{uid}-once"}
    assert (await place.query(f'<c:prop-filter name="{property_name}"/>')).keys() == {uid}


async def test_time_range_query_finds_no_endless_series_from_2038(place: Place, uid: str) -> None:
    """A time range from 2038 on does not match a series without an end."""
    await place.put(uid, ics(uid, "DTSTART:20301202T100000Z", "DURATION:PT1H", "RRULE:FREQ=MONTHLY"))
    assert (await place.query(within("20371201T000000Z", "20371208T000000Z"))).keys() == {uid}
    assert (await place.query(within("20381201T000000Z", "20381208T000000Z"))).keys() == set()


async def test_component_filter_separates_events_and_tasks(place: Place, uid: str) -> None:
    """A query for tasks finds no events, and a query for events finds no tasks."""
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


async def test_outbox_returns_busy_times(alice: Person, bob: Person, uid: str) -> None:
    """The reply for each recipient has busy times without details; an unknown recipient has no reply."""
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


async def test_free_busy_organizer_must_be_the_user(alice: Person, bob: Person) -> None:
    """The organizer of a free-busy request must be the user who sends it."""
    other = await address(bob)
    answer = await alice.http.post(
        f"/remote.php/dav/calendars/{alice.user}/outbox/", content=question(other, other).encode(), headers=MEDIA_TYPE
    )
    assert answer.status_code == 403


async def test_free_busy_query_report_of_a_calendar(place: Place, uid: str) -> None:
    """The free-busy-query REPORT of one calendar needs no mail address."""
    await place.put(uid, ics(uid))
    body = f"<c:free-busy-query {NAMESPACES}>{within('20301202T000000Z', '20301204T000000Z')}</c:free-busy-query>"
    answer = await place.http.request("REPORT", place.path, content=body, headers={"Depth": "1"})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/calendar")
    assert "20301202T100000Z/" in answer.text


async def test_free_busy_ignores_the_rule_of_a_series_with_rdate(place: Place, uid: str) -> None:
    """For a series with RDATE, Nextcloud considers only those dates, so the client has to read the series."""
    weekly = ("DTSTART:20301104T100000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY", "RDATE:20301203T150000Z")
    await place.put(uid, ics(uid, *weekly))
    await place.put(f"{uid}-once", ics(f"{uid}-once", "DTSTART:20301202T120000Z", "DURATION:PT1H"))
    body = f"<c:free-busy-query {NAMESPACES}>{within('20301202T000000Z', '20301204T000000Z')}</c:free-busy-query>"
    answer = await place.http.request("REPORT", place.path, content=body, headers={"Depth": "1"})
    assert answer.status_code == 200
    assert "20301202T120000Z/" in answer.text
    assert "20301202T100000Z/" not in answer.text


async def test_stored_invitation_differs_and_put_returns_no_etag(alice: Person, uid: str) -> None:
    """Nextcloud adds the delivery status to an invitation: PUT returns no ETag, but a read does."""
    own = await address(alice)
    place = Place(alice, "personal")
    invited = (f"ORGANIZER:{own}", "ATTENDEE;RSVP=TRUE:mailto:nobody@example.invalid")
    written = await place.put(uid, ics(uid, "DTSTART:20301202T100000Z", "DTEND:20301202T110000Z", *invited))
    assert (written.status_code, written.headers.get("etag")) == (201, None)
    (there,) = await look(alice, f"{place.path}{uid}.ics")
    assert there.findtext(".//{DAV:}getetag")
    await place.http.delete(f"{place.path}{uid}.ics")


async def test_calendars_of_other_users_are_404(bob: Person, alice: Person) -> None:
    """Another user's calendars do not exist for a user."""
    answer = await bob.http.request("PROPFIND", Place(alice, "personal").path, headers={"Depth": "0"})
    assert answer.status_code == 404
