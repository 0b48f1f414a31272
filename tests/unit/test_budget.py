"""Size limits for what a client's model reads: the tool list and the longest lists."""

import json
from typing import Any, Final

import pytest

from tests.support.calendars import calendar, has_calendars, holds
from tests.support.ics import ics
from tests.support.issuer import answer
from tests.support.nextcloud import FILES, dav_file, dav_folder, multistatus
from tests.support.server import EVERYTHING, LEGACY, MODERN, Server, answered

AVERAGE: Final = 450
"""Bytes of name, description and input schema."""

LONGEST: Final = 1200
"""The same of any one tool."""

RESULT: Final = 100_000
"""Bytes of a whole answer."""


async def test_tool_list_fits_its_budget(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Names, descriptions and input schemas count as `tools/list` sends them; the figures are printed."""
    response = await server.request("tools/list", token=server.keycloak.mint(scope=EVERYTHING))
    sizes = {tool["name"]: _size(tool) for tool in answered(response)["result"]["tools"]}
    average, longest = sum(sizes.values()) / len(sizes), max(sizes, key=sizes.__getitem__)
    with capsys.disabled():
        print(  # noqa: T201 - what it is for
            f"\n{len(sizes)} tools, {sum(sizes.values())} B: {average:.0f} B on average, "
            f"{sizes[longest]} B the longest ({longest}); {len(response.content)} B on the wire"
        )
    assert average <= AVERAGE
    assert {name: size for name, size in sizes.items() if size > LONGEST} == {}


def _size(tool: dict[str, Any]) -> int:
    shown = {key: tool[key] for key in ("name", "description", "inputSchema")}
    return len(json.dumps(shown, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_list_of_thousand_files_fits(server: Server, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A listing has the total, and by default no more entries than fit."""
    files = [dav_file(f"{FILES}/Photos/IMG_2026{number:04}_a_name_of_usual_length.jpg") for number in range(1000)]
    server.nextcloud.on(
        "PROPFIND", f"{FILES}/Photos", answer(207, content=multistatus(dav_folder(f"{FILES}/Photos/"), *files))
    )
    token = server.keycloak.mint(scope=EVERYTHING)
    response = await server.call("nc_webdav_list_directory", {"path": "Photos"}, token=token, version=version)
    listing = answered(response)["result"]["structuredContent"]
    with capsys.disabled():
        print(f"\n1000 files ({version}): {len(listing['files'])} listed, {len(response.content)} B")  # noqa: T201
    assert listing["files_count"] == 1000
    assert len(response.content) < RESULT


async def test_list_of_five_hundred_events_fits(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """The same limit holds for events of other programs."""
    has_calendars(server.nextcloud, calendar("work"))
    holds(server.nextcloud, {f"event-{number}": _event(number) for number in range(500)})
    token = server.keycloak.mint(scope=EVERYTHING)
    arguments = {"calendar_name": "work", "start_date": "2026-11-01", "end_date": "2026-12-01"}
    response = await server.call("nc_calendar_list_events", arguments, token=token)
    listing = answered(response)["result"]["structuredContent"]
    with capsys.disabled():
        print(f"\n500 events: {len(listing['events'])} listed, {len(response.content)} B")  # noqa: T201
    assert listing["next_cursor"]
    assert len(response.content) < RESULT


def _event(number: int) -> str:
    day, hour = 1 + number % 28, 8 + number % 10
    return ics(
        f"DTSTART:202611{day:02}T{hour:02}0000Z",
        f"DTEND:202611{day:02}T{hour:02}3000Z",
        f"SUMMARY:Meeting of the planning group, number {number}",
        "DESCRIPTION:" + "We go through what is open and what is next. " * 5,
        "LOCATION:Room 4.12, second floor",
        "ATTENDEE;CN=Bob;PARTSTAT=ACCEPTED:mailto:bob@example.org",
        "ATTENDEE;CN=Carol;PARTSTAT=NEEDS-ACTION:mailto:carol@example.org",
        uid=f"event-{number}",
    )


async def test_text_content_is_compact_json(server: Server) -> None:
    """Clients without support for structured content read the text: the same JSON without whitespace."""
    folder = answer(207, content=multistatus(dav_folder(f"{FILES}/Photos/"), dav_file(f"{FILES}/Photos/a.jpg")))
    server.nextcloud.on("PROPFIND", f"{FILES}/Photos", folder)
    token = server.keycloak.mint(scope=EVERYTHING)
    result = answered(await server.call("nc_webdav_list_directory", {"path": "Photos"}, token=token))["result"]
    (text,) = [block["text"] for block in result["content"]]
    assert json.loads(text) == result["structuredContent"]
    assert text == json.dumps(result["structuredContent"], separators=(",", ":"))
