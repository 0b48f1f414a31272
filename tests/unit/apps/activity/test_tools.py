"""`apps.activity.tools`: the activity list, called through MCP."""

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


async def test_lists_activities_with_selected_fields(server: Server) -> None:
    """Each activity has its author, object, time and link, and no other field of Nextcloud's answer."""
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


async def test_next_page_starts_after_last_activity_id(server: Server) -> None:
    """The cursor has the id of the page's last activity; a grouped entry can have a different id."""
    server.nextcloud.on("GET", ACTIVITY, answered(row(12), last=8, has_more=True), answered(row(7), last=7))
    first = await server.use(TOOL, {"limit": 5})
    second = await server.use(TOOL, {"limit": 5, "cursor": first["next_cursor"]})
    assert (asked(server)["since"], second["next_cursor"]) == ("8", None)


async def test_cursor_accepts_large_ids(server: Server) -> None:
    """Activity ids are shared by all users and can have more digits than a list has entries."""
    number = 2**53
    server.nextcloud.on("GET", ACTIVITY, answered(row(number), last=number, has_more=True), answer(304))
    first = await server.use(TOOL)
    assert (await server.use(TOOL, {"cursor": first["next_cursor"]}))["activities"] == []
    assert asked(server)["since"] == str(number)


@pytest.mark.parametrize("status", [204, 304])
async def test_empty_response_is_empty_list(server: Server, status: int) -> None:
    """Nextcloud sends no body for an empty page or to users without activities."""
    server.nextcloud.on("GET", ACTIVITY, answer(status))
    result = await server.use(TOOL)
    assert (result["activities"], result["next_cursor"]) == ([], None)


async def test_page_of_unknown_activities_has_cursor(server: Server) -> None:
    """A page with activities of removed apps only is empty, and another page may follow."""
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
async def test_since_is_inclusive_and_ends_paging(server: Server, since: str) -> None:
    """An activity at exactly `since` is included; once an older one is seen, there is no next page."""
    person = {"id": "alice", "displayname": "Alice", "timezone": "Europe/Berlin"}
    server.nextcloud.on("GET", USER_PATH, ocs(person))
    rows = [row(9, "2026-11-27T20:00:01+00:00"), row(8, "2026-11-27T20:00:00+00:00"), row(7, "2026-11-27T19:59:59Z")]
    server.nextcloud.on("GET", ACTIVITY, answered(*rows, last=7, has_more=True))
    result = await server.use(TOOL, {"since": since})
    expected = [9] if since.endswith("01Z") else [9, 8]
    assert [each["activity_id"] for each in result["activities"]] == expected
    assert result["next_cursor"] is None


async def test_page_within_since_has_cursor(server: Server) -> None:
    """If all activities are newer than `since`, older pages may have more."""
    server.nextcloud.on("GET", ACTIVITY, answered(row(9), last=9, has_more=True))
    assert (await server.use(TOOL, {"since": "2026-01-01"}))["next_cursor"]


async def test_filter_id_is_sent_in_path(server: Server) -> None:
    """The activity filter's id becomes part of the path."""
    server.nextcloud.on("GET", f"{ACTIVITY}/filters", ocs([{"id": "all", "name": "All"}, {"id": "files", "name": "F"}]))
    server.nextcloud.on("GET", f"{ACTIVITY}/files", answered(row(9), last=9))
    assert len((await server.use(TOOL, {"kind": "files"}))["activities"]) == 1


@pytest.mark.parametrize("kind", ["filters", "filter", "Files", "..", "../../../../cloud/user", "files?a=b"])
async def test_unknown_filter_lists_known_filters(server: Server, kind: str) -> None:
    """The error lists the known filters, and no further request is sent."""
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
async def test_deleted_cursor_activity_is_refused(server: Server, answered_with: Answer) -> None:
    """If the cursor's activity was deleted, Nextcloud restarts with the newest, so paging would never end."""
    server.nextcloud.on("GET", ACTIVITY, answered(row(9), last=9, has_more=True), answered_with)
    cursor = (await server.use(TOOL))["next_cursor"]
    assert "Leave cursor out" in await server.misuse(TOOL, {"cursor": cursor})


async def test_error_without_cursor_does_not_blame_cursor(server: Server) -> None:
    """Without a cursor, a refusal is not reported as an invalid cursor."""
    server.nextcloud.on("GET", ACTIVITY, ocs([], 403, ""))
    assert (await server.misuse(TOOL)).startswith("Nextcloud does not allow this for your activities")


async def test_page_size_is_at_most_200(server: Server) -> None:
    """Nextcloud returns at most 200 activities per page."""
    server.nextcloud.on("GET", ACTIVITY, answer(304))
    await server.use(TOOL, {"limit": 1000})
    assert asked(server)["limit"] == "200"


@pytest.mark.parametrize(("argument", "value"), [("since", "soon"), ("limit", 0), ("cursor", "2103")])
async def test_invalid_arguments_send_no_request(server: Server, argument: str, value: object) -> None:
    """The error names the argument, and no request is sent."""
    assert argument in await server.misuse(TOOL, {argument: value})
    assert server.nextcloud.asked() == []
