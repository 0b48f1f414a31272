"""`apps.files.webdav`: files over WebDAV (RFC 4918), as Nextcloud 32 answers."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import httpx
import pytest

from nextcloud_mcp.apps.files import upload, webdav
from nextcloud_mcp.errors import (
    ConflictError,
    InvalidArgumentError,
    LockedError,
    NextcloudUnavailableError,
    NotFoundError,
    QuotaExceededError,
)
from nextcloud_mcp.nextcloud.account_cache import AccountCache
from nextcloud_mcp.nextcloud.client import Nextcloud, http_client
from tests.support.issuer import Answer, answer
from tests.support.nextcloud import (
    FILES,
    USER_PATH,
    FakeNextcloud,
    dav_error,
    dav_file,
    dav_folder,
    multistatus,
    ocs_user,
    propfind,
)

PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "plain": ("a/b.txt", "/a/b.txt"),
    "from the root": ("/a/b.txt", "/a/b.txt"),
    "slash at the end": ("a/", "/a"),
    "slashes doubled": ("//a///b", "/a/b"),
    "space": ("a b", "/a%20b"),
    "umlauts": ("Grüße.txt", "/Gr%C3%BC%C3%9Fe.txt"),
    "beyond the basic plane": ("😀", "/%F0%9F%98%80"),
    "percent sign": ("100%", "/100%25"),
    "percent-encoded already": ("a%20b", "/a%2520b"),
    "percent-encoded dots": ("%2e%2e/x", "/%252e%252e/x"),
    "percent-encoded slash": ("a%2Fb", "/a%252Fb"),
    "fragment": ("a#b", "/a%23b"),
    "query": ("a?b=c", "/a%3Fb%3Dc"),
    "ampersand, plus, semicolon": ("a&b+c;d", "/a%26b%2Bc%3Bd"),
    "backslash": ("a\\b", "/a%5Cb"),
    "line break": ("a\nb", "/a%0Ab"),
    "dots in a name": ("..a/b../.c", "/..a/b../.c"),
    "three dots": (".../x", "/.../x"),
    "looks like a URL": ("https://attacker.test/x", "/https%3A/attacker.test/x"),
    "quotes": ("'a' \"b\"", "/%27a%27%20%22b%22"),
}


@pytest.mark.parametrize(("path", "url"), PATHS.values(), ids=PATHS.keys())
async def test_path_is_encoded_and_below_user_root(
    nextcloud: Nextcloud, fake: FakeNextcloud, path: str, url: str
) -> None:
    """Every character of a name arrives unchanged, and no name leads elsewhere."""
    fake.on("PROPFIND", FILES + url, answer(404))
    with pytest.raises(NotFoundError):
        await webdav.list_directory(nextcloud, path)
    assert fake.asked() == [f"PROPFIND {FILES}{url}"]


@pytest.mark.parametrize("path", ["..", ".", "a/../b", "../bob/x", "a/.", "/./a", "a/..", "a\0b", "a/b\0/../c"])
async def test_path_traversal_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud, path: str) -> None:
    """Paths with `.`, `..` or NUL send no request, as source or as destination."""
    calls: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: webdav.list_directory(nextcloud, path),
        lambda: webdav.read_file(nextcloud, path, length=9),
        lambda: webdav.write_file(nextcloud, path, b"", content_type=None, etag=None),
        lambda: webdav.create_directory(nextcloud, path),
        lambda: webdav.delete(nextcloud, path),
        lambda: webdav.move(nextcloud, path, "b", overwrite=False),
        lambda: webdav.move(nextcloud, "b", path, overwrite=False),
        lambda: webdav.copy(nextcloud, path, "b", overwrite=False),
        lambda: webdav.copy(nextcloud, "b", path, overwrite=False),
    )
    for call in calls:
        with pytest.raises(InvalidArgumentError):
            await call()
    assert fake.asked() == []


@pytest.mark.parametrize("root", ["", "/", "//"])
async def test_root_can_not_be_deleted_or_moved(nextcloud: Nextcloud, fake: FakeNextcloud, root: str) -> None:
    """An empty path must not delete all files of a user."""
    calls: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: webdav.delete(nextcloud, root),
        lambda: webdav.move(nextcloud, root, "b", overwrite=True),
        lambda: webdav.move(nextcloud, "b", root, overwrite=True),
        lambda: webdav.copy(nextcloud, root, "b", overwrite=True),
        lambda: webdav.copy(nextcloud, "b", root, overwrite=True),
    )
    for call in calls:
        with pytest.raises(InvalidArgumentError, match="root folder"):
            await call()
    assert fake.requests == []


async def test_lists_a_folder(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Files and folders come with their properties; the folder itself is not listed."""
    fake.on(
        "PROPFIND",
        f"{FILES}/Photos",
        propfind(
            dav_folder(f"{FILES}/Photos/"),
            dav_folder(f"{FILES}/Photos/2026/", size=1234),
            dav_file(f"{FILES}/Photos/a.jpg", size=7, content_type="image/jpeg"),
        ),
    )
    folder, file = await webdav.list_directory(nextcloud, "Photos")
    assert folder.model_dump() == {
        "name": "2026",
        "path": "/Photos/2026",
        "is_directory": True,
        "size": 1234,
        "content_type": None,
        "last_modified": "Mon, 23 Nov 2026 14:54:43 GMT",
        "etag": "6b0453b3d9ff8",
        "file_id": 2,
        "is_favorite": False,
    }
    assert file.model_dump() == {
        "name": "a.jpg",
        "path": "/Photos/a.jpg",
        "is_directory": False,
        "size": 7,
        "content_type": "image/jpeg",
        "last_modified": "Mon, 23 Nov 2026 14:56:41 GMT",
        "etag": "68a55c7c",
        "file_id": 73,
        "is_favorite": True,
    }
    assert fake.requests[-1].headers["Depth"] == "1"


async def test_empty_folder_is_empty_list(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The response then contains only the folder itself."""
    fake.on("PROPFIND", FILES, propfind(dav_folder(f"{FILES}/")))
    assert await webdav.list_directory(nextcloud, "") == []


@pytest.mark.parametrize(
    ("href", "path"),
    [
        pytest.param(f"{FILES}/a%20b/Gr%c3%bc%c3%9fe%20%26%20mehr.txt", "/a b/Grüße & mehr.txt", id="encoded"),
        pytest.param(f"{FILES}/100%25%20%23.txt", "/100% #.txt", id="percent sign and hash"),
        pytest.param(f"{FILES}/a%2520b", "/a%20b", id="a name that looks encoded"),
        pytest.param(f"{FILES}/a%3Fb", "/a?b", id="question mark"),
        pytest.param(f"https://cloud.test{FILES}/x", "/x", id="absolute, as RFC 4918 allows"),
        pytest.param(f"/cloud{FILES}/x", "/x", id="Nextcloud below a path"),
        pytest.param(f"{FILES}{FILES}/x", f"{FILES}/x", id="a folder named like the root"),
    ],
)
async def test_href_becomes_decoded_relative_path(
    nextcloud: Nextcloud, fake: FakeNextcloud, href: str, path: str
) -> None:
    """An href is decoded once and made relative to the user's root, so it can be passed as an argument."""
    fake.on("PROPFIND", FILES, propfind(dav_folder(f"{FILES}/"), dav_file(href)))
    (file,) = await webdav.list_directory(nextcloud, "")
    assert (file.path, file.name) == (path, path.rpartition("/")[2])


async def test_user_id_comes_from_nextcloud(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Paths use the encoded user id from Nextcloud, whatever name the token has."""
    root = "/remote.php/dav/files/alice%40example.org%20%26%20x"
    fake.on("GET", USER_PATH, ocs_user("alice@example.org & x"))
    fake.on("PROPFIND", f"{root}/d", propfind(dav_folder(f"{root}/d/"), dav_file(f"{root}/d/a")))
    (file,) = await webdav.list_directory(nextcloud, "d")
    assert file.path == "/d/a"


async def test_listing_a_file_is_an_error(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error says that the path is a file."""
    fake.on("PROPFIND", f"{FILES}/a.txt", propfind(dav_file(f"{FILES}/a.txt")))
    with pytest.raises(InvalidArgumentError, match=r"/a\.txt is a file"):
        await webdav.list_directory(nextcloud, "a.txt")


async def test_listing_missing_folder_is_an_error(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error names the missing folder."""
    fake.on("PROPFIND", f"{FILES}/x", answer(404))
    with pytest.raises(NotFoundError, match="did not find /x"):
        await webdav.list_directory(nextcloud, "x")


NO_XML: Final[Mapping[str, bytes]] = {
    "HTML": b"<h1>Log in<br></h1>",
    "empty": b"",
    "cut off": multistatus(dav_folder(f"{FILES}/"))[:-20],
    "an entity bomb": b'<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;">]><a>&c;</a>',
    "a file of this machine": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "XML of something else": b"<html/>",
}


@pytest.mark.parametrize("content", NO_XML.values(), ids=NO_XML.keys())
async def test_response_without_multistatus_is_outage(
    nextcloud: Nextcloud, fake: FakeNextcloud, content: bytes
) -> None:
    """Such a response comes from a proxy in front of Nextcloud; XML entities are never resolved."""
    fake.on("PROPFIND", FILES, answer(207, content=content))
    with pytest.raises(NextcloudUnavailableError, match="WebDAV"):
        await webdav.list_directory(nextcloud, "")


ETAGS: Final[Mapping[str, tuple[dict[str, str], str]]] = {
    "as Nextcloud writes it": ({"ETag": '"abc"', "OC-ETag": '"abc"'}, "abc"),
    "compressed by the web server": ({"ETag": '"abc-gzip"', "OC-ETag": '"abc"'}, "abc"),
    "compressed, no OC-ETag": ({"ETag": '"abc-gzip"'}, "abc"),
    "weak": ({"ETag": 'W/"abc"'}, "abc"),
    "weak and compressed": ({"ETag": 'W/"abc-gzip"'}, "abc"),
    "none, so that of the listing": ({}, "68a55c7c"),
}


@pytest.mark.parametrize(("headers", "etag"), ETAGS.values(), ids=ETAGS.keys())
async def test_reads_bytes_and_etag(
    nextcloud: Nextcloud, fake: FakeNextcloud, headers: dict[str, str], etag: str
) -> None:
    """The content is bytes, with the unencoded ETag that a later write can pass."""
    fake.on("PROPFIND", f"{FILES}/a.txt", propfind(dav_file(f"{FILES}/a.txt")))
    fake.on("GET", f"{FILES}/a.txt", answer(content=b"hello\n", headers=headers))
    file = await webdav.read_file(nextcloud, "a.txt", length=6)
    assert (file.content, file.content_type, file.etag) == (b"hello\n", "text/plain", etag)


async def test_missing_media_type_is_octet_stream(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Without a media type the most general one applies (RFC 9110 section 8.3)."""
    fake.on("PROPFIND", f"{FILES}/a", propfind(dav_file(f"{FILES}/a", content_type="")))
    fake.on("GET", f"{FILES}/a", answer(content=b"x"))
    assert (await webdav.read_file(nextcloud, "a", length=6)).content_type == "application/octet-stream"


PIECES: Final[Mapping[str, tuple[int, int, str, bytes]]] = {
    "the beginning": (0, 2, "bytes=0-1", b"he"),
    "the middle": (2, 3, "bytes=2-4", b"llo"),
    "the end, and more is asked for": (4, 9, "bytes=4-12", b"o\n"),
}


@pytest.mark.parametrize(("offset", "length", "asked", "content"), PIECES.values(), ids=PIECES.keys())
@pytest.mark.parametrize("status", [206, 200], ids=["a piece", "the whole, as servers may answer"])
async def test_reads_a_byte_range(
    nextcloud: Nextcloud, fake: FakeNextcloud, offset: int, length: int, asked: str, content: bytes, status: int
) -> None:
    """Only the requested bytes are fetched (RFC 9110 section 14.2); the size is that of the whole file."""
    fake.on("PROPFIND", f"{FILES}/a", propfind(dav_file(f"{FILES}/a", size=6)))
    fake.on("GET", f"{FILES}/a", answer(status, content=content if status == 206 else b"hello\n"))
    file = await webdav.read_file(nextcloud, "a", offset=offset, length=length)
    assert (file.content, file.offset, file.size, file.is_whole) == (content, offset, 6, False)
    assert fake.requests[-1].headers["Range"] == asked


async def test_whole_file_is_read_without_range(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A file that fits is fetched without Range; if it has grown meanwhile, the result says so."""
    fake.on("PROPFIND", f"{FILES}/a", propfind(dav_file(f"{FILES}/a", size=6)))
    fake.on("GET", f"{FILES}/a", answer(content=b"hello, all\n"))
    file = await webdav.read_file(nextcloud, "a", length=6)
    assert (file.content, file.size, file.is_whole) == (b"hello,", 11, False)
    assert "Range" not in fake.requests[-1].headers


@pytest.mark.parametrize("size", [0, 6])
async def test_read_at_end_sends_no_range(nextcloud: Nextcloud, fake: FakeNextcloud, size: int) -> None:
    """A range at the end would be a 416, so no request is sent."""
    fake.on("PROPFIND", f"{FILES}/a", propfind(dav_file(f"{FILES}/a", size=size)))
    file = await webdav.read_file(nextcloud, "a", offset=size, length=9)
    assert (file.content, file.size, file.etag) == (b"", size, "68a55c7c")
    assert fake.asked("GET") == []


@pytest.mark.parametrize("offset", [-1, 7])
async def test_offset_beyond_end_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud, offset: int) -> None:
    """The error names the argument and the size."""
    fake.on("PROPFIND", f"{FILES}/a", propfind(dav_file(f"{FILES}/a", size=6)))
    with pytest.raises(InvalidArgumentError, match=f"Invalid offset {offset}: pass a number from 0 to 6"):
        await webdav.read_file(nextcloud, "a", offset=offset, length=9)
    assert fake.asked("GET") == []


@pytest.mark.parametrize("path", ["Photos", "", "/"])
async def test_reading_a_folder_is_an_error(nextcloud: Nextcloud, fake: FakeNextcloud, path: str) -> None:
    """Nextcloud would answer 200 with an empty body; the error says that the path is a folder."""
    fake.on("PROPFIND", f"{FILES}/Photos" if path == "Photos" else FILES, propfind(dav_folder(f"{FILES}/x/")))
    with pytest.raises(InvalidArgumentError, match="is a folder, not a file"):
        await webdav.read_file(nextcloud, path, length=6)
    assert fake.asked("GET") == []


async def test_write_without_etag_overwrites_nothing(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Without an ETag a write creates a new file only."""
    fake.on("PUT", f"{FILES}/a", answer(201, headers={"ETag": '"new"', "OC-ETag": '"new"'}))
    written = await webdav.write_file(nextcloud, "a", b"\0\xff", content_type="image/png", etag=None)
    assert written.model_dump() == {"status_code": 201, "etag": "new"}
    request = fake.requests[-1]
    assert request.content == b"\0\xff"
    assert request.headers["If-None-Match"] == "*"
    assert request.headers["Content-Type"] == "image/png"
    assert "If-Match" not in request.headers


@pytest.mark.parametrize("etag", ["abc", '"abc"', 'W/"abc"', '"abc-gzip"'])
async def test_write_with_etag_replaces_that_version(nextcloud: Nextcloud, fake: FakeNextcloud, etag: str) -> None:
    """The ETag is accepted in every form and replaces only the version that it names."""
    fake.on("PUT", f"{FILES}/a", answer(204))
    written = await webdav.write_file(nextcloud, "a", b"x", content_type=None, etag=etag)
    assert written.status_code == 204
    assert fake.requests[-1].headers["If-Match"] == '"abc"'
    assert "If-None-Match" not in fake.requests[-1].headers
    assert "Content-Type" not in fake.requests[-1].headers


CONFLICTS: Final[Mapping[str, tuple[int, str | None, str, str]]] = {
    "exists": (412, None, dav_file(f"{FILES}/a"), "/a exists already, and nothing was written.*ETag from reading"),
    "changed": (412, "old", dav_file(f"{FILES}/a"), "/a has changed since you read it.*ETag from reading"),
    "a folder": (409, None, dav_folder(f"{FILES}/a/"), "/a is a folder"),
}


@pytest.mark.parametrize(("status", "etag", "there", "sentence"), CONFLICTS.values(), ids=CONFLICTS.keys())
async def test_refused_overwrite_shows_no_etag(
    nextcloud: Nextcloud, fake: FakeNextcloud, status: int, etag: str | None, there: str, sentence: str
) -> None:
    """Nothing is written, and the error does not contain the ETag of an unread version."""
    fake.on("PUT", f"{FILES}/a", answer(status))
    fake.on("PROPFIND", f"{FILES}/a", propfind(there))
    with pytest.raises(ConflictError, match=sentence) as refused:
        await webdav.write_file(nextcloud, "a", b"x", content_type=None, etag=etag)
    assert "68a55c7c" not in str(refused.value)
    assert len(fake.asked("PUT")) == 1


async def test_replacing_deleted_file_says_so(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """Nextcloud answers 412; the error says that the file was deleted since it was read."""
    fake.on("PUT", f"{FILES}/a", answer(412))
    fake.on("PROPFIND", f"{FILES}/a", answer(404))
    with pytest.raises(NotFoundError, match="did not find /a"):
        await webdav.write_file(nextcloud, "a", b"x", content_type=None, etag="abc")


@pytest.mark.parametrize(
    ("status", "error"), [(404, NotFoundError), (423, LockedError), (507, QuotaExceededError)], ids=str
)
async def test_failed_write_names_file_and_cause(
    nextcloud: Nextcloud, fake: FakeNextcloud, status: int, error: type[Exception]
) -> None:
    """A missing folder, a lock and a full storage are different errors about this file."""
    fake.on("PUT", f"{FILES}/d/a", answer(status))
    fake.on("PROPFIND", f"{FILES}/d/a", answer(404))
    fake.on("PROPFIND", f"{FILES}/d", propfind(dav_folder(f"{FILES}/d/")))
    with pytest.raises(error, match="/d/a"):
        await webdav.write_file(nextcloud, "d/a", b"x", content_type=None, etag=None)


@pytest.mark.parametrize("status", [201, 405])
async def test_creating_existing_folder_is_no_error(nextcloud: Nextcloud, fake: FakeNextcloud, status: int) -> None:
    """WebDAV answers 405 for an existing name; if that is a folder, it is no error."""
    fake.on("MKCOL", f"{FILES}/d", answer(status))
    fake.on("PROPFIND", f"{FILES}/d", propfind(dav_folder(f"{FILES}/d/")))
    assert (await webdav.create_directory(nextcloud, "d")).status_code == status


async def test_creating_folder_over_file_is_an_error(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The existing file is not the requested folder."""
    fake.on("MKCOL", f"{FILES}/a", answer(405))
    fake.on("PROPFIND", f"{FILES}/a", propfind(dav_file(f"{FILES}/a")))
    with pytest.raises(ConflictError, match="/a is a file, and no folder was created"):
        await webdav.create_directory(nextcloud, "a")


PARENTS: Final[Mapping[str, tuple[str, str]]] = {
    "missing": (
        "Parent node does not exist",
        "The parent folder of /no/d does not exist, and nothing was written: create it first.",
    ),
    "a file": (
        "Parent node is not a collection",
        "/no is a file, so it can't contain /no/d, and nothing was written: choose another folder.",
    ),
    "not told": (
        "",
        (
            "The parent folder of /no/d does not exist or is a file, and nothing was written: create the folder "
            "first, or choose another."
        ),
    ),
}


def conflicts(message: str, status: int = 409) -> Answer:
    """Answer as sabre/dav does where the parent is no folder."""
    return answer(status, content=dav_error(r"Sabre\DAV\Exception\Conflict", message))


@pytest.mark.parametrize(("message", "sentence"), PARENTS.values(), ids=PARENTS.keys())
async def test_creating_folder_requires_parent(
    nextcloud: Nextcloud, fake: FakeNextcloud, message: str, sentence: str
) -> None:
    """The error says whether the parent is missing or a file, if Nextcloud does."""
    fake.on("MKCOL", f"{FILES}/no/d", conflicts(message))
    with pytest.raises(ConflictError) as refused:
        await webdav.create_directory(nextcloud, "no/d")
    assert str(refused.value) == sentence


async def test_file_can_not_be_written_into_a_file(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error names the file that is in the place of the folder, and not the file that was not written."""
    fake.on("PUT", f"{FILES}/no/d", conflicts("Files can only be created as children of collections"))
    fake.on("PROPFIND", f"{FILES}/no/d", answer(404))
    with pytest.raises(ConflictError) as refused:
        await webdav.write_file(nextcloud, "no/d", b"x", content_type=None, etag=None)
    assert str(refused.value) == PARENTS["a file"][1]


async def test_deletes_or_reports_missing_path(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """A missing path is an error, since it is most often misspelled."""
    fake.on("PROPFIND", f"{FILES}/a", answer(207, content=multistatus(dav_file(f"{FILES}/a"))), answer(404))
    fake.on("DELETE", f"{FILES}/a", answer(204))
    deleted = await webdav.delete(nextcloud, "a")
    assert (deleted.status_code, deleted.shared_by) == (204, None)
    with pytest.raises(NotFoundError, match="did not find /a among what you may see"):
        await webdav.delete(nextcloud, "a")


TRANSFERS: Final = {"MOVE": webdav.move, "COPY": webdav.copy}


@pytest.mark.parametrize("method", TRANSFERS)
async def test_move_and_copy_send_absolute_destination(nextcloud: Nextcloud, fake: FakeNextcloud, method: str) -> None:
    """Destination is the absolute, encoded URL of a path of the same user (RFC 4918 section 10.3)."""
    fake.on(method, f"{FILES}/a%20b", answer(201, headers={"OC-ETag": '"e"'}))
    written = await TRANSFERS[method](nextcloud, "a b", "Grüße/100%.txt", overwrite=False)
    assert written.model_dump() == {"status_code": 201, "etag": "e"}
    request = fake.requests[-1]
    assert request.headers["Destination"] == f"https://cloud.test{FILES}/Gr%C3%BC%C3%9Fe/100%25.txt"
    assert request.headers["Overwrite"] == "F"


NOTHING: Final = answer(404)
A_FILE: Final = propfind(dav_file(f"{FILES}/d"))
A_FOLDER: Final = propfind(dav_folder(f"{FILES}/d/"))


@pytest.mark.parametrize("method", TRANSFERS)
@pytest.mark.parametrize(("there", "flag"), [(A_FILE, "T"), (NOTHING, "F")], ids=["a file", "nothing"])
async def test_overwrite_replaces_only_existing_file(
    nextcloud: Nextcloud, fake: FakeNextcloud, method: str, there: Answer, flag: str
) -> None:
    """If the destination does not exist, a file created meanwhile is not replaced either."""
    fake.on("PROPFIND", f"{FILES}/d", there)
    fake.on(method, f"{FILES}/a", answer(201))
    await TRANSFERS[method](nextcloud, "a", "d", overwrite=True)
    assert fake.requests[-1].headers["Overwrite"] == flag


@pytest.mark.parametrize("method", TRANSFERS)
async def test_folder_is_never_replaced(nextcloud: Nextcloud, fake: FakeNextcloud, method: str) -> None:
    """Its contents would be lost: no request is sent, and the error names the path."""
    fake.on("PROPFIND", f"{FILES}/d", A_FOLDER)
    with pytest.raises(ConflictError, match=r"/d is a folder, and nothing was done: .* the full new path /d/x\.txt\."):
        await TRANSFERS[method](nextcloud, "a/x.txt", "d", overwrite=True)
    assert fake.asked(method) == []


TAKEN: Final[Mapping[str, tuple[int, Answer, str]]] = {
    "a file": (412, A_FILE, "/d exists already, .* overwrite=true"),
    "a folder": (412, A_FOLDER, r"/d is a folder, .* full new path /d/a\.$"),
}


@pytest.mark.parametrize("method", TRANSFERS)
@pytest.mark.parametrize(("status", "there", "sentence"), TAKEN.values(), ids=TAKEN.keys())
async def test_destination_conflict_names_destination(
    nextcloud: Nextcloud, fake: FakeNextcloud, method: str, status: int, there: Answer, sentence: str
) -> None:
    """The error is about the destination, not the source; it does not offer to replace a folder."""
    fake.on(method, f"{FILES}/a", answer(status))
    fake.on("PROPFIND", f"{FILES}/d", there)
    with pytest.raises(ConflictError, match=sentence):
        await TRANSFERS[method](nextcloud, "a", "d", overwrite=False)


TO_NO_FOLDER: Final = {
    "missing": conflicts("The destination node is not found"),
    "a file": conflicts("The destination node is not a collection", 415),
    "not told": answer(409),
}


@pytest.mark.parametrize("method", TRANSFERS)
@pytest.mark.parametrize("parent", TO_NO_FOLDER)
async def test_destination_requires_parent(nextcloud: Nextcloud, fake: FakeNextcloud, method: str, parent: str) -> None:
    """Nextcloud answers 415 if the parent of the destination is a file; the error is the one for a new folder."""
    fake.on(method, f"{FILES}/a", TO_NO_FOLDER[parent])
    with pytest.raises(ConflictError) as refused:
        await TRANSFERS[method](nextcloud, "a", "no/d", overwrite=False)
    assert str(refused.value) == PARENTS[parent][1]


NESTED: Final[Mapping[str, tuple[str, str, str]]] = {
    "the source itself": ("a/b", "/a//b/", "/a/b is both source and destination"),
    "the folder that it is in": ("a/b", "a", "/a/b and /a are nested"),
    "a folder further up": ("a/b/c", "/a/", "/a/b/c and /a are nested"),
    "in the source": ("a", "a/b/c", "/a and /a/b/c are nested"),
}


@pytest.mark.parametrize("method", TRANSFERS)
@pytest.mark.parametrize("overwrite", [True, False], ids=["overwrite", "no overwrite"])
@pytest.mark.parametrize(("source", "destination", "sentence"), NESTED.values(), ids=NESTED.keys())
async def test_nested_source_and_destination_are_refused(
    nextcloud: Nextcloud,
    fake: FakeNextcloud,
    method: str,
    source: str,
    destination: str,
    sentence: str,
    *,
    overwrite: bool,
) -> None:
    """Nextcloud would answer 403 or delete the source, so no request is sent."""
    with pytest.raises(InvalidArgumentError, match=sentence):
        await TRANSFERS[method](nextcloud, source, destination, overwrite=overwrite)
    assert fake.asked() == []


@pytest.mark.parametrize("method", TRANSFERS)
async def test_common_prefix_is_not_nesting(nextcloud: Nextcloud, fake: FakeNextcloud, method: str) -> None:
    """`/a` is not the parent of `/ab`."""
    fake.on(method, f"{FILES}/a", answer(201))
    assert (await TRANSFERS[method](nextcloud, "a", "ab", overwrite=False)).status_code == 201


async def test_destination_includes_base_path() -> None:
    """With a path in NEXTCLOUD_HOST, destinations and listings include it."""
    fake = FakeNextcloud()
    fake.on("GET", f"/cloud{USER_PATH}", ocs_user("alice"))
    fake.on("MOVE", f"/cloud{FILES}/a", answer(201))
    fake.on("PROPFIND", f"/cloud{FILES}", propfind(dav_folder(f"/cloud{FILES}/"), dav_file(f"/cloud{FILES}/b")))
    async with http_client("https://host.test/cloud", transport=fake.transport) as http:
        nextcloud = Nextcloud(http, AccountCache(), account=("issuer", "alice", "alice"), token="t")
        await webdav.move(nextcloud, "a", "b", overwrite=False)
        assert fake.requests[-1].headers["Destination"] == f"https://host.test/cloud{FILES}/b"
        (file,) = await webdav.list_directory(nextcloud, "")
        assert file.path == "/b"


async def test_every_request_goes_to_nextcloud_host(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """No path makes a request go to another host."""
    fake.on("MOVE", f"{FILES}/https%3A/attacker.test", answer(201))
    await webdav.move(nextcloud, "https://attacker.test", "//attacker.test/x", overwrite=False)
    assert {request.url.host for request in fake.requests} == {"cloud.test"}
    assert httpx.URL(fake.requests[-1].headers["Destination"]).host == "cloud.test"


async def test_nul_character_is_refused(nextcloud: Nextcloud, fake: FakeNextcloud) -> None:
    """The error names the character, before any request."""
    with pytest.raises(InvalidArgumentError, match=r"^Invalid path 'a\\x00b': write it without NUL characters\.$"):
        await webdav.list_directory(nextcloud, "a\0b")
    assert fake.asked() == []


@pytest.mark.parametrize("name", ["new\nline", "a\tb", "a\x1bb"])
async def test_new_name_with_control_characters_is_refused(
    nextcloud: Nextcloud, fake: FakeNextcloud, name: str
) -> None:
    """Nextcloud would report a missing folder; existing files of such names can be read and deleted."""
    path = f"dir/{name}"
    for refused in (
        webdav.write_file(nextcloud, path, b"", content_type=None, etag=None),
        webdav.create_directory(nextcloud, path),
        webdav.move(nextcloud, "a.txt", path, overwrite=False),
        webdav.copy(nextcloud, "a.txt", path, overwrite=False),
        upload.start_upload(nextcloud, path),
    ):
        with pytest.raises(InvalidArgumentError) as said:
            await refused
        assert str(said.value) == (
            f"Nextcloud does not allow line breaks and other control characters in names, as in {name!r}: choose "
            "another name."
        )
    assert fake.requests == []
