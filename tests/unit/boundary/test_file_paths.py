"""`boundary.file_paths`: files are accepted by the address that a browser or WebDAV client shows."""

from typing import Final

import pytest

from tests.support.issuer import answer
from tests.support.nextcloud import FILES, dav_file, dav_folder, multistatus
from tests.support.server import EXCHANGE, Server, serving

CLOUD: Final = "https://cloud.test"
PUBLIC: Final = "https://cloud.example.org/nextcloud"
SEARCHED: Final = "/remote.php/dav/"


def has_folder(server: Server, address: str = "Photos/2026%20%C3%BC") -> None:
    """Let alice have a folder with a file in it."""
    folder = multistatus(dav_folder(f"{FILES}/{address}/"), dav_file(f"{FILES}/{address}/a.jpg"))
    server.nextcloud.on("PROPFIND", f"{FILES}/{address}", answer(207, content=folder))


@pytest.mark.parametrize(
    "address",
    [
        f"{CLOUD}/apps/files/?dir=/Photos/2026%20%C3%BC",
        f"{CLOUD}/index.php/apps/files/?dir=/Photos/2026%20%C3%BC&view=files",
        f"{CLOUD}/apps/files/files?dir=%2FPhotos%2F2026+%C3%BC",
        f"{CLOUD}/remote.php/dav/files/alice/Photos/2026%20%C3%BC/",
        f"{CLOUD}/remote.php/webdav/Photos/2026%20%C3%BC",
        "HTTPS://Cloud.Test:443/apps/files/?dir=/Photos/2026%20%C3%BC",
        "/remote.php/dav/files/alice/Photos/2026%20%C3%BC",
        "/index.php/apps/files/?dir=/Photos/2026%20%C3%BC",
        "/apps/files/files/?dir=/Photos/2026%20%C3%BC",
        "/Photos/2026 ü",
        "/Photos/2026 u\u0308",
        "Photos//2026 ü/",
    ],
)
async def test_web_and_webdav_addresses_become_paths(server: Server, address: str) -> None:
    """Web addresses with or without index.php and WebDAV addresses become paths; paths stay unchanged."""
    has_folder(server)
    assert (await server.use("nc_webdav_list_directory", {"path": address}))["files_count"] == 1


@pytest.mark.parametrize(
    "address",
    [
        f"{CLOUD}/f/123",
        f"{CLOUD}/index.php/f/123",
        "/f/123",
        f"{CLOUD}/apps/files/files/123?dir=/elsewhere",
        f"{CLOUD}/apps/files/?dir=/elsewhere&openfile=123",
    ],
)
async def test_internal_link_is_resolved_by_id(server: Server, address: str) -> None:
    """The id finds the file or folder wherever it is now."""
    has_folder(server)
    found = multistatus(dav_folder(f"{FILES}/Photos/2026%20%C3%BC/"))
    server.nextcloud.on("PROPFIND", f"{FILES}/f/123", answer(404))
    server.nextcloud.on("SEARCH", SEARCHED, answer(207, content=found))
    assert (await server.use("nc_webdav_list_directory", {"path": address}))["files_count"] == 1
    assert b"<oc:fileid/></d:prop><d:literal>123</d:literal>" in server.nextcloud.requests[-2].content


async def test_unknown_folder_id_falls_back_to_dir(server: Server) -> None:
    """The root folder is never found by its id, so the path in the address is used."""
    has_folder(server)
    server.nextcloud.on("SEARCH", SEARCHED, answer(207, content=multistatus()))
    address = f"{CLOUD}/apps/files/files/2?dir=/Photos/2026%20%C3%BC"
    assert (await server.use("nc_webdav_list_directory", {"path": address}))["files_count"] == 1
    said = await server.misuse("nc_webdav_list_directory", {"path": f"{CLOUD}/f/2"})
    assert said == "There is no file or folder with the id 2 among what you may see: list a folder for its file_id."


async def test_address_of_deleted_file_is_not_its_folder(server: Server) -> None:
    """The address of a deleted file is an error, and its former folder is not changed."""
    has_folder(server)
    server.nextcloud.on("SEARCH", SEARCHED, answer(207, content=multistatus()))
    for address in (
        "files/files/12?dir=/Photos/2026%20%C3%BC&openfile=true",
        "files/?dir=/Photos/2026%20%C3%BC&openfile=12",
    ):
        said = await server.misuse("nc_webdav_delete_resource", {"path": f"{CLOUD}/apps/{address}"})
        assert (
            said == "There is no file or folder with the id 12 among what you may see: list a folder for its file_id."
        )
    assert server.nextcloud.asked("DELETE") == []


async def test_path_takes_precedence_over_internal_link(server: Server) -> None:
    """An existing file of that name takes precedence over any id."""
    has_folder(server, "f/123")
    assert (await server.use("nc_webdav_list_directory", {"path": "/f/123"}))["files_count"] == 1
    assert server.nextcloud.asked("SEARCH") == []


async def test_public_address_is_accepted() -> None:
    """Users may open Nextcloud at another address than this server, with a path of its own."""
    async with serving({**EXCHANGE, "NEXTCLOUD_PUBLIC_URL": PUBLIC}) as server:
        has_folder(server)
        address = f"{PUBLIC}/apps/files/?dir=/Photos/2026%20%C3%BC"
        assert (await server.use("nc_webdav_list_directory", {"path": address}))["files_count"] == 1


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("https://elsewhere.test/apps/files/?dir=/Photos", "is not an address of this Nextcloud"),
        ("http://cloud.test/apps/files/?dir=/Photos", "is not an address of this Nextcloud"),
        ("https://cloud.test:8443/f/1", "is not an address of this Nextcloud"),
        ("https://cloud.test:x/f/1", "is not an address of this Nextcloud"),
        ("https:///f/1", "is not an address of this Nextcloud"),
        ("https://[::/f/1", "is not an address of this Nextcloud"),
        ("https://cloud.test@elsewhere.test/f/1", "is not an address of this Nextcloud"),
        (f"{CLOUD}/remote.php/dav/files/bob/a.txt", "is in somebody else's files"),
        (f"{CLOUD}/s/AbCdEf", "is not the address of a file or folder"),
        (f"{CLOUD}/apps/notes/note/7", "is not the address of a file or folder"),
        (f"{CLOUD}/remote.php/dav/files/alice/../bob/a.txt", "'.' and '..'"),
        (f"{CLOUD}/apps/files/?dir=/../bob", "'.' and '..'"),
    ],
)
@pytest.mark.parametrize("tool", ["nc_webdav_list_directory", "nc_webdav_delete_resource"])
async def test_other_addresses_are_refused(server: Server, tool: str, address: str, sentence: str) -> None:
    """No file is read or deleted by an address of another server."""
    assert sentence in await server.misuse(tool, {"path": address})
    assert server.nextcloud.asked() == []
