"""What the stand-in adds to the contract: it identifies itself, stores data, and has calendars."""

from pathlib import Path

import httpx
import pytest

from stack.standin.app import HEADER, Options
from stack.standin.tree import Tree
from tests.contract.multistatus import properties
from tests.support.issuer import FakeIssuer
from tests.unit.standin.running import running

FILES = "/remote.php/dav/files/alice"
PERSONAL = "/remote.php/dav/calendars/alice/personal"
CONTACTS = "/remote.php/dav/addressbooks/users/alice/contacts"
EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//stand-in//EN
BEGIN:VEVENT
UID:one
DTSTAMP:20260101T000000Z
DTSTART:20260102T100000Z
DTEND:20260102T110000Z
SUMMARY:Meeting
END:VEVENT
END:VCALENDAR
"""
CARD = "BEGIN:VCARD\nVERSION:3.0\nUID:carol\nN:Example;Carol;;;\nFN:Carol Example\nEND:VCARD\n"
QUERY = """<c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">
<d:prop><d:getetag/><c:calendar-data/></d:prop><c:filter><c:comp-filter name="VCALENDAR">
<c:comp-filter name="VEVENT"><c:time-range start="20260101T000000Z" end="20260201T000000Z"/></c:comp-filter>
</c:comp-filter></c:filter></c:calendar-query>"""


@pytest.fixture
def alice(client: httpx.AsyncClient, issuer: FakeIssuer) -> httpx.AsyncClient:
    """The client, signed in as Alice."""
    client.headers["Authorization"] = f"Bearer {issuer.mint()}"
    return client


@pytest.mark.parametrize("path", ["/status.php", "/nowhere", f"{FILES}/", "/index.php/apps/notes/api/v1/notes"])
async def test_every_response_identifies_the_standin(client: httpx.AsyncClient, path: str) -> None:
    """A header tells the stand-in from a Nextcloud in every response."""
    assert (await client.get(path)).headers[HEADER] == "1"


async def test_status_and_capabilities_identify_the_standin(alice: httpx.AsyncClient) -> None:
    """Every version or product name is the stand-in's."""
    status = (await alice.get("/status.php")).json()
    data = (await alice.get("/ocs/v1.php/cloud/capabilities?format=json")).json()["ocs"]["data"]
    shown = [
        status["versionstring"],
        status["productname"],
        data["version"]["string"],
        data["capabilities"]["theming"]["name"],
    ]
    assert all("stand-in" in text for text in shown)


async def test_ocs_defaults_to_xml(alice: httpx.AsyncClient) -> None:
    """JSON has to be requested by parameter or by header."""
    path = "/ocs/v2.php/cloud/user"
    assert "<id>alice</id>" in (await alice.get(path)).text
    assert (await alice.get(path, headers={"Accept": "application/json"})).json()["ocs"]["data"]["id"] == "alice"


async def test_new_account_has_files(alice: httpx.AsyncClient) -> None:
    """The first call creates the account with a few files."""
    assert "stand-in" in (await alice.get(f"{FILES}/Readme.md")).text
    assert (await alice.request("PROPFIND", f"{FILES}/Documents")).status_code == 207


async def test_data_survives_a_restart(options: Options, issuer: FakeIssuer) -> None:
    """Files with their ids and ETags, and calendars, exist after a restart."""
    headers = {"Authorization": f"Bearer {issuer.mint()}"}
    async with running(options) as client:
        client.headers.update(headers)
        await client.put(f"{FILES}/a.txt", content=b"kept")
        await client.put(f"{PERSONAL}/one.ics", content=EVENT)
        before = await properties(client, f"{FILES}/a.txt")
    async with running(options) as client:
        client.headers.update(headers)
        assert (await client.get(f"{FILES}/a.txt")).content == b"kept"
        assert await properties(client, f"{FILES}/a.txt") == before
        assert "Meeting" in (await client.get(f"{PERSONAL}/one.ics")).text


async def test_calendar_events_can_be_used(alice: httpx.AsyncClient) -> None:
    """An event in the first calendar is listed, read, found by time, and deleted."""
    home = await alice.request("PROPFIND", "/remote.php/dav/calendars/alice/", headers={"Depth": "1"})
    assert f"{PERSONAL}/" in home.text
    assert (await alice.put(f"{PERSONAL}/one.ics", content=EVENT)).status_code == 201
    assert "Meeting" in (await alice.get(f"{PERSONAL}/one.ics")).text
    found = await alice.request("REPORT", PERSONAL + "/", content=QUERY, headers={"Depth": "1"})
    assert found.status_code == 207
    assert f"{PERSONAL}/one.ics" in found.text
    assert (await alice.delete(f"{PERSONAL}/one.ics")).status_code in {200, 204}


BUSY = """<c:free-busy-query xmlns:c="urn:ietf:params:xml:ns:caldav">
<c:time-range start="20260105T000000Z" end="20260201T000000Z"/></c:free-busy-query>"""


async def test_free_busy_omits_rdate_like_nextcloud(alice: httpx.AsyncClient) -> None:
    """Of a series with RDATE it has only the occurrences of the rule."""
    series = EVENT.replace("SUMMARY", "RRULE:FREQ=WEEKLY;COUNT=3\nRDATE:20260107T150000Z\nSUMMARY")
    await alice.put(f"{PERSONAL}/one.ics", content=series)
    await alice.put(f"{PERSONAL}/two.ics", content=EVENT.replace("one", "two").replace("20260102T1", "20260112T1"))
    told = await alice.request("REPORT", PERSONAL + "/", content=BUSY, headers={"Depth": "1"})
    assert told.status_code == 200
    assert [line.partition(":")[2][:16] for line in told.text.splitlines() if line.startswith("FREEBUSY")] == [
        "20260107T150000Z",
        "20260112T100000Z",
    ]


async def test_address_book_contacts_can_be_read(alice: httpx.AsyncClient) -> None:
    """A contact in the first address book is listed and read."""
    assert (await alice.put(f"{CONTACTS}/carol.vcf", content=CARD)).status_code == 201
    assert "Carol" in (await alice.get(f"{CONTACTS}/carol.vcf")).text
    listing = await alice.request("PROPFIND", f"{CONTACTS}/", headers={"Depth": "1"})
    assert f"{CONTACTS}/carol.vcf" in listing.text


@pytest.mark.parametrize("home", ["calendars", "addressbooks/users"])
async def test_calendars_and_contacts_are_private(alice: httpx.AsyncClient, issuer: FakeIssuer, home: str) -> None:
    """Another user's home does not exist, also through `..` in the path."""
    bob = {"Authorization": f"Bearer {issuer.mint(preferred_username='bob')}"}
    assert (await alice.request("PROPFIND", f"/remote.php/dav/{home}/alice/")).status_code == 207
    for path in ("alice/", "bob/%2e%2e/alice/"):
        answer = await alice.request("PROPFIND", f"/remote.php/dav/{home}/{path}", headers=bob)
        assert answer.status_code in {403, 404}


async def test_files_are_private_for_every_path(alice: httpx.AsyncClient, issuer: FakeIssuer) -> None:
    """No `..` in a path of one's own folder leads to another user's files."""
    await alice.put(f"{FILES}/secret.txt", content=b"secret")
    bob = {"Authorization": f"Bearer {issuer.mint(preferred_username='bob')}"}
    for detour in ("bob/%2e%2e/alice", "bob/..%2falice", "/alice", "%2falice"):
        answer = await alice.get(f"/remote.php/dav/files/{detour}/secret.txt", headers=bob)
        assert answer.status_code in {400, 403, 404}


def test_file_ids_are_not_reused(tmp_path: Path) -> None:
    """A file that replaces a deleted one, also on disk, has a new id."""
    tree = Tree(tmp_path)
    tree.provision("alice")
    path = tree.home("alice") / "a.txt"
    path.touch()
    first = tree.node(path).id
    tree.remove(path)
    path.touch()
    assert tree.node(path).id > first
    tree.close()
