"""What each tool and resource sends to Nextcloud is within its scopes, and is listed in the reviewed `reach.json`.

The requests are those of a walk through all tools and resources against the stand-in. A new request fails the test
until the file has it: `python -m tests.unit.auth.test_reach` rewrites the file, and a person reviews the diff.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import unquote

import anyio
import pytest
from mcp.shared.uri_template import UriTemplate

from nextcloud_mcp.auth.scopes import app_of
from nextcloud_mcp.catalogue import APPS
from nextcloud_mcp.nextcloud.retries import SAFE_METHODS
from tests.e2e.later import WALKS
from tests.support.declared import RESOURCE_SCOPES, TOOL_SCOPES
from tests.support.recorded import RecordedClient, recorded

REVIEWED: Final = Path(__file__).with_name("reach.json")

AREAS: Final[Mapping[str, re.Pattern[str]]] = {
    "account": re.compile(r"/ocs/v2\.php/cloud/(user|capabilities)"),
    "files": re.compile(r"/remote\.php/dav/(files|uploads|trashbin)/.*|/remote\.php/dav/?"),
    "sharing": re.compile(r"/ocs/v2\.php/apps/files_sharing/.*"),
    "calendar": re.compile(r"/remote\.php/dav/(calendars|principals)/.*"),
    "contacts": re.compile(r"/remote\.php/dav/addressbooks/.*"),
    "notes": re.compile(r"/index\.php/apps/notes/.*"),
    "deck": re.compile(r"/index\.php/apps/deck/.*"),
    "tables": re.compile(r"/(index\.php|ocs/v2\.php)/apps/tables/.*"),
    "cookbook": re.compile(r"/index\.php/apps/cookbook/.*"),
    "activity": re.compile(r"/ocs/v2\.php/apps/activity/.*"),
    "notifications": re.compile(r"/ocs/v2\.php/apps/notifications/.*"),
}
"""Which part of Nextcloud a path belongs to, by the app that its scopes name; `account` is open to every token."""

WRITING: Final[Mapping[str, set[str]]] = {"calendar": {"calendar:write", "todo:write"}}
"""The scopes of which one lets a tool write there, where that is not the app's own alone."""

PROPERTIES: Final[Mapping[str, re.Pattern[str]]] = {
    "notes": re.compile(r"PROPFIND /remote\.php/dav/files/.*"),
    "cookbook": re.compile(r"PROPFIND /remote\.php/dav/files/.*"),
    "files": re.compile(r"GET /ocs/v2\.php/apps/files_sharing/api/v1/shares"),
}
"""What the tools of an app may read beyond its own API: who owns, shares and has locked the files that it works with.

The Notes API, for one, changes files in spite of locks and missing permissions.
"""

ACCOUNT: Final = re.compile(f"^GET {AREAS['account'].pattern}$")

FIXED: Final = re.compile(r"|(?!recorded)[a-zA-Z_]+(\.php)?|v[0-9.]+(\.?php)?")
"""A part of a path that is in this server's source, and not an id or a name."""

OUTBOX: Final = re.compile(r"POST /remote\.php/dav/calendars/[^/]+/outbox/?")
"""Asks when people are free, and keeps nothing (RFC 6638 section 5)."""

ESCAPES: Final = (
    "..",
    ".",
    "../../calendars/alice/personal",
    "../../../../index.php/apps/notes/api/v1/notes",
    "..%2f..%2fcalendars%2falice%2fpersonal",
    "%2e%2e/%2e%2e/addressbooks/users/alice/contacts",
    "..\\..\\files\\alice",
    "a/../../../../files/alice/b.txt",
    "/remote.php/dav/files/alice/b.txt",
    "https://elsewhere.test/remote.php/dav/files/alice/b.txt",
    "?a=b#c",
    ";a=b/../..",
)

TABLE: Final = {**TOOL_SCOPES, **RESOURCE_SCOPES}


def area_of(path: str) -> str:
    """Return the area of a path, of which there must be one."""
    (area,) = (name for name, pattern in AREAS.items() if pattern.fullmatch(path))
    return area


def is_of_properties(request: str, apps: set[str]) -> bool:
    """Return whether a request reads what `PROPERTIES` allows to the tools of these apps."""
    return any(app in apps and pattern.fullmatch(request) for app, pattern in PROPERTIES.items())


def described(request: str) -> str:
    """Return a request without what is different at each run: names, ids and numbers; of WebDAV, the collection."""
    method, _, path = request.partition(" ")
    if OUTBOX.fullmatch(request):
        return "POST /remote.php/dav/calendars/{}/outbox"
    parts = path.split("/")
    if path.startswith("/remote.php/dav"):
        return f"{method} {'/'.join(parts[:4])}"
    return f"{method} {'/'.join(part if FIXED.fullmatch(part) else '{}' for part in parts)}".replace("api/{}", "api/1")


async def walk(data: Path) -> dict[str, set[str]]:
    """Return what every tool and resource sent, on all journeys and with the tools and apps that came later."""
    sent: defaultdict[str, set[str]] = defaultdict(set)
    for app in sorted(WALKS):
        async with recorded(data / app) as client:
            await WALKS[app](client)
            if app == "webdav":
                await _later_tools(client)
        for name, requests in client.sent.items():
            sent[_in_table(name)].update(requests)
    return sent


async def _later_tools(client: RecordedClient) -> None:
    """Use the tools of the contract's apps that the contract does not have."""
    await client.use("nc_whoami", {})
    await client.read_new("nc://capabilities")
    part = await client.use("nc_webdav_upload_part", {"path": "u.bin", "content": "YQ==", "part": 1})
    arguments = {"path": "u.bin", "content": "YQ==", "part": 2, "upload": part["upload"], "size": 2}
    await client.use("nc_webdav_upload_part", arguments)
    await client.read_new("nc://Files/u.bin")
    await client.use("nc_webdav_delete_resource", {"path": "u.bin"})
    trash = await client.use("nc_webdav_list_trash", {})
    await client.use("nc_webdav_restore_from_trash", {"trash_id": trash["items"][0]["trash_id"]})


def _in_table(name: str) -> str:
    """Return the name under which a tool, or the resource at a URI, stands in the table."""
    if "://" not in name:
        return name
    return next(uri for uri in RESOURCE_SCOPES if UriTemplate.parse(uri).match(name) is not None)


@pytest.fixture(scope="module")
async def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What every tool and resource sent."""
    return await walk(tmp_path_factory.mktemp("reach"))


async def test_walk_covers_every_tool_and_resource(sent: dict[str, set[str]]) -> None:
    """The walk leaves none out."""
    assert TABLE.keys() == sent.keys()


async def test_requests_are_within_the_scopes(sent: dict[str, set[str]]) -> None:
    """A tool sends requests to an app only with a scope of that app, and writes only with a writing one."""
    for name, requests in sent.items():
        scopes = TABLE[name]
        for request in requests:
            method, _, path = request.partition(" ")
            area = area_of(path)
            if area == "account":
                assert method in SAFE_METHODS, (name, request)
                continue
            apps = set(map(app_of, scopes))
            assert area in apps or is_of_properties(request, apps), (name, request)
            if method not in SAFE_METHODS and not OUTBOX.fullmatch(request):
                assert scopes & WRITING.get(area, {f"{area}:write"}), (name, request)


@pytest.mark.parametrize("escape", ESCAPES)
async def test_path_traversal_can_not_leave_scopes(tmp_path: Path, escape: str) -> None:
    """Dots and slashes in any argument lead to no other app, however a web server reads the path."""
    async with recorded(tmp_path) as client:
        for app in APPS:
            for tool in app.tools:
                arguments = {
                    name: escape if "string" in json.dumps(schema) else 1
                    for name, schema in tool.parameters["properties"].items()
                }
                for target in await client.attempt(tool.name, arguments):
                    path = _without_dots(unquote(target))
                    apps = set(map(app_of, TOOL_SCOPES[tool.name]))
                    requests = (f"{method} {path}" for method in SAFE_METHODS)
                    is_allowed = area_of(path) in {"account", *apps} or any(is_of_properties(r, apps) for r in requests)
                    assert is_allowed, (tool.name, target)


def _without_dots(path: str) -> str:
    """Return a path as RFC 3986 section 5.2.4 reads it."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            kept = kept[:-1]
        elif part != ".":
            kept.append(part)
    return "/".join(kept)


async def test_requests_match_reviewed_file(sent: dict[str, set[str]]) -> None:
    """The file has each tool's scopes and requests, and no others."""
    assert table(sent) == json.loads(REVIEWED.read_text(encoding="utf-8"))


def table(sent: Mapping[str, set[str]]) -> dict[str, Any]:
    """Return what the reviewed file has; who the person is and which apps there are is asked now and then."""
    return {
        name: {
            "scopes": sorted(TABLE[name]),
            "sends": sorted({described(each) for each in sent.get(name, ()) if not ACCOUNT.search(each)}),
        }
        for name in sorted(TABLE)
    }


async def _written() -> str:
    with TemporaryDirectory() as folder:
        found = table(await walk(Path(folder)))
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in found.items())
    return f"{{\n{rows}\n}}\n"


if __name__ == "__main__":
    REVIEWED.write_text(anyio.run(_written), encoding="utf-8")
