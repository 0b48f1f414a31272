"""`apps.activity.tools`: what changed, called as a client calls it."""

from typing import Any, Final

import httpx
import pytest

from tests.support.issuer import Answer, answer
from tests.support.nextcloud import USER_PATH, ocs
from tests.support.server import Server

ACTIVITY: Final = "/ocs/v2.php/apps/activity/api/v2/activity"
TOOL: Final = "nc_activity_list"


def row(number: int, time: str = "2026-11-27T23:13:37+00:00") -> dict[str, Any]:
    """Return an activity as Nextcloud 34 answers it, cut down."""
    return {
        "activity_id": number,
        "app": "files",
        "type": "file_deleted",
        "user": "alice",
        "subject": "You deleted b.txt",
        "subject_rich": ["You deleted {file}", {"file": {"type": "file", "id": "568", "name": "b.txt"}}],
        "message": "",
        "message_rich": ["", []],
        "object_type": "files",
        "object_id": 568,
        "object_name": "/b.txt",
        "objects": {"568": "/b.txt"},
        "link": "https://cloud.test/index.php/apps/files/?dir=/",
        "icon": "https://cloud.test/apps/files/img/delete-color.svg",
        "datetime": time,
    }


def answered(*rows: dict[str, Any], last: int | None = None, has_more: bool = False, **headers: str) -> Answer:
    """Answer with a page of activities; `last` is the id of its last change."""
    told = {"X-Activity-Last-Given": str(last)} if last is not None else {}
    link = {"Link": f'<https://cloud.test{ACTIVITY}?since={last}>; rel="next"'} if has_more else {}
    body = {"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"}, "data": list(rows)}}
    return answer(json=body, headers=told | link | {name.replace("_", "-"): value for name, value in headers.items()})


def asked(server: Server) -> httpx.QueryParams:
    """Return the query of the last request."""
    return server.nextcloud.requests[-1].url.params


async def test_tells_what_changed(server: Server) -> None:
    """Who did what to which thing, when, and where it is; of Nextcloud's answer no more than that."""
    server.nextcloud.on("GET", ACTIVITY, answered(row(2103), last=2103, X_Activity_First_Known="2103"))
    result = await server.use(TOOL)
    assert result["activities"] == [
        {
            "activity_id": 2103,
            "app": "files",
            "type": "file_deleted",
            "user": "alice",
            "subject": "You deleted b.txt",
            "object_type": "files",
            "object_id": 568,
            "object_name": "/b.txt",
            "datetime": "2026-11-27T23:13:37Z",
            "link": "https://cloud.test/index.php/apps/files/?dir=/",
        }
    ]
    assert result["next_cursor"] is None
    assert dict(asked(server)) == {"format": "json", "since": "0", "limit": "100", "sort": "desc"}


async def test_the_next_page_starts_after_an_activity(server: Server) -> None:
    """The cursor has the id of the last change of the page, which an entry for several changes can be before."""
    server.nextcloud.on("GET", ACTIVITY, answered(row(12), last=8, has_more=True), answered(row(7), last=7))
    first = await server.use(TOOL, {"limit": 5})
    second = await server.use(TOOL, {"limit": 5, "cursor": first["next_cursor"]})
    assert (asked(server)["since"], second["next_cursor"]) == ("8", None)


async def test_a_cursor_holds_any_id(server: Server) -> None:
    """Ids are counted through for all people of a Nextcloud, and can have more digits than a list has entries."""
    number = 2**53
    server.nextcloud.on("GET", ACTIVITY, answered(row(number), last=number, has_more=True), answer(304))
    first = await server.use(TOOL)
    assert (await server.use(TOOL, {"cursor": first["next_cursor"]}))["activities"] == []
    assert asked(server)["since"] == str(number)


@pytest.mark.parametrize("status", [204, 304])
async def test_nothing_has_changed(server: Server, status: int) -> None:
    """Nextcloud has no body for an empty page, nor for people who get no activities at all."""
    server.nextcloud.on("GET", ACTIVITY, answer(status))
    result = await server.use(TOOL)
    assert (result["activities"], result["next_cursor"]) == ([], None)


async def test_what_no_app_can_tell_is_passed_over(server: Server) -> None:
    """A page of changes of apps that are gone is empty, and another may follow."""
    headers = {"X-Activity-Last-Given": "8", "Link": f'<https://cloud.test{ACTIVITY}?since=8>; rel="next"'}
    server.nextcloud.on("GET", ACTIVITY, answer(304, headers=headers))
    result = await server.use(TOOL)
    assert result["activities"] == []
    assert result["next_cursor"]


@pytest.mark.parametrize(
    "since",
    [
        pytest.param("2026-11-27T20:00:00Z", id="UTC"),
        pytest.param("2026-11-27T21:00:00+01:00", id="an offset"),
        pytest.param("2026-11-27T21:00:00", id="the person's zone"),
        pytest.param("2026-11-27T20:00:01Z", id="a second later"),
    ],
)
async def test_ends_at_a_moment(server: Server, since: str) -> None:
    """What is as old as the moment counts, and there is no next page once an older entry was seen."""
    person = {"id": "alice", "displayname": "Alice", "timezone": "Europe/Berlin"}
    server.nextcloud.on("GET", USER_PATH, ocs(person))
    rows = [row(9, "2026-11-27T20:00:01+00:00"), row(8, "2026-11-27T20:00:00+00:00"), row(7, "2026-11-27T19:59:59Z")]
    server.nextcloud.on("GET", ACTIVITY, answered(*rows, last=7, has_more=True))
    result = await server.use(TOOL, {"since": since})
    expected = [9] if since.endswith("01Z") else [9, 8]
    assert [each["activity_id"] for each in result["activities"]] == expected
    assert result["next_cursor"] is None


async def test_goes_on_while_all_is_new_enough(server: Server) -> None:
    """Older pages may have more."""
    server.nextcloud.on("GET", ACTIVITY, answered(row(9), last=9, has_more=True))
    assert (await server.use(TOOL, {"since": "2026-01-01"}))["next_cursor"]


async def test_one_kind(server: Server) -> None:
    """It is the id of a filter, which goes into the path."""
    server.nextcloud.on("GET", f"{ACTIVITY}/filters", ocs([{"id": "all", "name": "All"}, {"id": "files", "name": "F"}]))
    server.nextcloud.on("GET", f"{ACTIVITY}/files", answered(row(9), last=9))
    assert len((await server.use(TOOL, {"kind": "files"}))["activities"]) == 1


@pytest.mark.parametrize("kind", ["filters", "filter", "Files", "..", "../../../../cloud/user", "files?a=b"])
async def test_a_kind_that_there_is_not(server: Server, kind: str) -> None:
    """The error says which there are, and nothing else is asked."""
    server.nextcloud.on("GET", f"{ACTIVITY}/filters", ocs([{"id": "all", "name": "All"}, {"id": "files", "name": "F"}]))
    error = await server.misuse(TOOL, {"kind": kind})
    assert error.startswith(f"Unknown kind '{kind}'")
    assert error.endswith("use one of all, files.")
    assert server.nextcloud.asked() == [f"GET {ACTIVITY}/filters?format=json"]


@pytest.mark.parametrize(
    "answered_with",
    [
        pytest.param(ocs([], 403, ""), id="another person's"),
        pytest.param(answered(row(9), last=9, X_Activity_First_Known="9"), id="nobody's"),
    ],
)
async def test_a_page_whose_start_is_gone(server: Server, answered_with: Answer) -> None:
    """Nextcloud deletes old activities, and then starts with the newest again: that would go on without an end."""
    server.nextcloud.on("GET", ACTIVITY, answered(row(9), last=9, has_more=True), answered_with)
    cursor = (await server.use(TOOL))["next_cursor"]
    assert "Leave cursor out" in await server.misuse(TOOL, {"cursor": cursor})


async def test_a_refusal_without_a_cursor(server: Server) -> None:
    """It is not the cursor's fault."""
    server.nextcloud.on("GET", ACTIVITY, ocs([], 403, ""))
    assert (await server.misuse(TOOL)).startswith("Nextcloud does not allow this for your activities")


async def test_a_long_page(server: Server) -> None:
    """Nextcloud has at most 200 changes in a page."""
    server.nextcloud.on("GET", ACTIVITY, answer(304))
    await server.use(TOOL, {"limit": 1000})
    assert asked(server)["limit"] == "200"


@pytest.mark.parametrize(("argument", "value"), [("since", "soon"), ("limit", 0), ("cursor", "2103")])
async def test_arguments_that_make_no_sense(server: Server, argument: str, value: object) -> None:
    """The error names the argument, and Nextcloud is not asked."""
    assert argument in await server.misuse(TOOL, {argument: value})
    assert server.nextcloud.asked() == []
