"""Files: behavior that RFC 4918 leaves to the server.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/basic.html
"""

from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Final

import anyio
import httpx
import pytest

from tests.contract.multistatus import exception, properties, propfind
from tests.contract.people import Person
from tests.contract.releases import of_release

ODD_NAMES = ["two words.txt", "größe 数 🗒.txt", "100%.txt", "a#b.txt", "what?.txt", "a&b;c=d+e,f.txt", "%41.txt"]


async def test_listing_has_folder_and_members_with_properties(alice: Person, folder: str) -> None:
    """Depth 1 returns the folder itself and its members, each with the properties of its kind."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"hello")
    await alice.http.request("MKCOL", alice.path(folder, "sub"))
    listing = {entry.path: entry for entry in await propfind(alice.http, alice.path(folder) + "/")}
    assert set(listing) == {alice.path(folder), alice.path(folder, "a.txt"), alice.path(folder, "sub")}
    file, sub = listing[alice.path(folder, "a.txt")], listing[alice.path(folder, "sub")]
    assert (file.is_folder, sub.is_folder, listing[alice.path(folder)].is_folder) == (False, True, True)
    assert (file.values["d:getcontentlength"], file.values["oc:size"]) == ("5", "5")
    assert file.values["d:getcontenttype"] == "text/plain"
    assert "d:getcontentlength" not in sub.values
    assert "d:getcontenttype" not in sub.values


async def test_entries_have_id_etag_date_favorite_and_permissions(alice: Person, folder: str) -> None:
    """Files and folders have a numeric id, a quoted ETag, a date, the favorite flag, and permissions."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"hello")
    for entry in await propfind(alice.http, alice.path(folder)):
        assert entry.values["oc:fileid"].isdecimal()
        assert entry.values["d:getetag"].startswith('"')
        assert parsedate_to_datetime(entry.values["d:getlastmodified"]).tzinfo is not None
        assert entry.values["oc:favorite"] == "0"
        assert {"R", "D", "V"} <= set(entry.values["oc:permissions"])


async def test_trailing_slash_does_not_matter(alice: Person, folder: str) -> None:
    """A folder is found with and without a trailing slash; its href always has one."""
    without, with_slash = alice.path(folder), alice.path(folder) + "/"
    assert (await propfind(alice.http, without))[0].href == (await propfind(alice.http, with_slash))[0].href


async def test_missing_depth_header_means_depth_1(alice: Person, folder: str) -> None:
    """RFC 4918 section 9.1 requires infinity; Nextcloud lists one level."""
    await alice.http.request("MKCOL", alice.path(folder, "sub"))
    await alice.http.put(alice.path(folder, "sub", "deep.txt"), content=b"x")
    answer = await alice.http.request("PROPFIND", alice.path(folder))
    assert answer.status_code == 207
    assert "sub" in answer.text
    assert "deep.txt" not in answer.text


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_special_characters_in_names_are_kept(alice: Person, folder: str, name: str) -> None:
    """Names with spaces, delimiters or any script are unchanged in hrefs and as destinations."""
    assert (await alice.http.put(alice.path(folder, name), content=b"x")).status_code == 201
    (_, entry) = await propfind(alice.http, alice.path(folder))
    assert entry.path.rpartition("/")[2] == name
    assert (await alice.http.get(entry.href)).content == b"x"
    moved = await _transfer(alice, "MOVE", (folder, name), (folder, "moved " + name))
    assert moved.status_code == 201
    (_, entry) = await propfind(alice.http, alice.path(folder))
    assert entry.path.rpartition("/")[2] == "moved " + name


async def test_written_bytes_are_read_unchanged(alice: Person, folder: str) -> None:
    """A read returns the same bytes with length, date and ETag."""
    content = bytes(range(256)) * 300
    await alice.http.put(alice.path(folder, "a.bin"), content=content)
    answer = await alice.http.get(alice.path(folder, "a.bin"))
    assert answer.status_code == 200
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["etag"] == (await properties(alice.http, alice.path(folder, "a.bin")))["d:getetag"]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("a.txt", "text/plain"), ("a.md", "text/markdown"), ("a.png", "image/png"), ("a.pdf", "application/pdf")],
)
async def test_media_type_follows_the_suffix(alice: Person, folder: str, name: str, media_type: str) -> None:
    """The media type depends on the suffix, not on the type that was sent."""
    headers = {"Content-Type": "application/x-else"}
    await alice.http.put(alice.path(folder, name), content=b"x", headers=headers)
    answer = await alice.http.get(alice.path(folder, name))
    assert answer.headers["content-type"].partition(";")[0] == media_type


async def test_empty_file_can_be_written_and_read(alice: Person, folder: str) -> None:
    """An empty file can be written and read."""
    assert (await alice.http.put(alice.path(folder, "none.txt"), content=b"")).status_code == 201
    answer = await alice.http.get(alice.path(folder, "none.txt"))
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("asked", "content", "told"),
    [("1-3", b"ell", "bytes 1-3/5"), ("3-", b"lo", "bytes 3-4/5"), ("-1", b"o", "bytes 4-4/5")],
)
async def test_range_returns_206(alice: Person, folder: str, asked: str, content: bytes, told: str) -> None:
    """`Range` gets 206 with the position of the part and the total length."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"hello")
    answer = await alice.http.get(alice.path(folder, "a.txt"), headers={"Range": f"bytes={asked}"})
    assert (answer.status_code, answer.content) == (206, content)
    assert answer.headers["content-range"] == told


async def test_range_beyond_the_end_is_416(alice: Person, folder: str) -> None:
    """A range that starts after the end gets 416."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"hello")
    answer = await alice.http.get(alice.path(folder, "a.txt"), headers={"Range": "bytes=9-"})
    assert answer.status_code == 416


FOLDER_PAGE: Final = {
    32: "",
    34: "This is the WebDAV interface. It can only be accessed by WebDAV clients such as the Nextcloud desktop sync "
    "client.",
}
"""The body of the response to GET of a folder."""


@pytest.mark.by_release
async def test_get_of_a_folder_does_not_reveal_that_it_is_one(alice: Person, folder: str, release: int) -> None:
    """GET of a folder is 200, empty in Nextcloud 32 and with a sentence in 34; only PROPFIND tells it from a file."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"hello")
    answer = await alice.http.get(alice.path(folder))
    assert (answer.status_code, answer.text) == (200, of_release(release, FOLDER_PAGE))


async def test_missing_file_is_named_in_the_404(alice: Person, folder: str) -> None:
    """The XML of the 404 names the missing file."""
    for method in ("GET", "DELETE", "PROPFIND"):
        answer = await alice.http.request(method, alice.path(folder, "none.txt"))
        assert answer.status_code == 404
        assert exception(answer) == "NotFound"
        assert "none.txt" in answer.text


async def test_put_status_tells_new_from_replaced(alice: Person, folder: str) -> None:
    """PUT gets 201 for a new file, and 204 for a replaced one."""
    path = alice.path(folder, "a.txt")
    assert (await alice.http.put(path, content=b"one")).status_code == 201
    assert (await alice.http.put(path, content=b"two")).status_code == 204


async def test_put_returns_the_etag(alice: Person, folder: str) -> None:
    """`ETag` and `OC-ETag`, which web servers do not change, have the new property's value."""
    path = alice.path(folder, "a.txt")
    answer = await alice.http.put(path, content=b"one")
    etag = (await properties(alice.http, path))["d:getetag"]
    assert answer.headers["etag"] == answer.headers["oc-etag"] == etag
    assert (await alice.http.get(path)).headers["oc-etag"] == etag


async def test_etag_changes_once_per_second(alice: Person, folder: str) -> None:
    """A write changes the ETag and keeps the id, if the last write was at least a second ago.

    On local storage Nextcloud derives the ETag from the second, so `If-Match` does not detect two writes within one
    second.
    """
    path = alice.path(folder, "a.txt")
    first = await alice.http.put(path, content=b"one")
    number = (await properties(alice.http, path))["oc:fileid"]
    await anyio.sleep(1.1)
    second = await alice.http.put(path, content=b"two")
    assert first.headers["etag"] != second.headers["etag"]
    assert (await properties(alice.http, path))["oc:fileid"] == number


async def test_if_match_with_the_current_etag_replaces(alice: Person, folder: str) -> None:
    """`If-Match` with the current ETag replaces the file."""
    path = alice.path(folder, "a.txt")
    etag = (await alice.http.put(path, content=b"one")).headers["etag"]
    assert (await alice.http.put(path, content=b"two", headers={"If-Match": etag})).status_code == 204


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_if_match_with_a_stale_etag_is_412(alice: Person, folder: str, method: str) -> None:
    """`If-Match` with a stale ETag gets 412 and changes nothing."""
    path = alice.path(folder, "a.txt")
    old = (await alice.http.put(path, content=b"one")).headers["etag"]
    await anyio.sleep(1.1)
    await alice.http.put(path, content=b"two")
    answer = await alice.http.request(method, path, content=b"", headers={"If-Match": old})
    assert answer.status_code == 412
    assert exception(answer) == "PreconditionFailed"
    assert (await alice.http.get(path)).content == b"two"


async def test_if_match_for_a_missing_file_is_412(alice: Person, folder: str) -> None:
    """`If-Match` for a deleted file gets 412 and does not create it."""
    path = alice.path(folder, "a.txt")
    answer = await alice.http.put(path, content=b"one", headers={"If-Match": '"0123"'})
    assert answer.status_code == 412
    assert (await alice.http.get(path)).status_code == 404


async def test_if_none_match_creates_but_does_not_replace(alice: Person, folder: str) -> None:
    """`If-None-Match: *` creates a file and refuses to replace one."""
    path, only_new = alice.path(folder, "a.txt"), {"If-None-Match": "*"}
    assert (await alice.http.put(path, content=b"one", headers=only_new)).status_code == 201
    assert (await alice.http.put(path, content=b"two", headers=only_new)).status_code == 412
    assert (await alice.http.get(path)).content == b"one"


async def test_get_of_an_unchanged_file_is_304(alice: Person, folder: str) -> None:
    """GET with `If-None-Match` and the current ETag gets 304."""
    path = alice.path(folder, "a.txt")
    etag = (await alice.http.put(path, content=b"one")).headers["etag"]
    assert (await alice.http.get(path, headers={"If-None-Match": etag})).status_code == 304


async def test_put_in_a_missing_folder_is_404(alice: Person, folder: str) -> None:
    """PUT in a missing folder gets 404, where RFC 4918 section 9.7.1 requires 409, and creates no folder."""
    answer = await alice.http.put(alice.path(folder, "none", "a.txt"), content=b"x")
    assert answer.status_code in {404, 409}
    assert (await alice.http.request("PROPFIND", alice.path(folder, "none"))).status_code == 404


async def test_put_over_a_folder_is_a_conflict(alice: Person, folder: str) -> None:
    """PUT over a folder gets 409."""
    answer = await alice.http.put(alice.path(folder), content=b"x")
    assert answer.status_code == 409


@pytest.mark.parametrize(("name", "statuses"), [("a\nb", {404, 400}), ("a\tb", {400})])
@pytest.mark.parametrize("method", ["PUT", "MKCOL"])
async def test_name_with_a_control_character_is_refused(
    alice: Person, folder: str, name: str, statuses: set[int], method: str
) -> None:
    """Nextcloud allows no control character; for a line break its error says "not found" (but not behind Apache)."""
    answer = await alice.http.request(method, alice.path(folder, name))
    assert answer.status_code in statuses
    listed = await alice.http.request("PROPFIND", alice.path(folder), headers={"Depth": "1"})
    assert listed.text.count("<d:response>") == 1


@pytest.mark.parametrize("name", ["a\\b.txt", "x" * 256])
async def test_forbidden_name_is_400(alice: Person, folder: str, name: str) -> None:
    """A forbidden name gets 400 with the reason."""
    answer = await alice.http.put(alice.path(folder, name), content=b"x")
    assert answer.status_code == 400
    assert "<s:message>" in answer.text


async def test_mkcol(alice: Person, folder: str) -> None:
    """MKCOL gets 201 for a new folder, 405 if the name is taken, 409 if the parent is missing."""
    path = alice.path(folder, "sub")
    assert (await alice.http.request("MKCOL", path)).status_code == 201
    assert (await alice.http.request("MKCOL", path)).status_code == 405
    assert (await alice.http.request("MKCOL", alice.path(folder, "none", "sub"))).status_code == 409


async def test_delete(alice: Person, folder: str) -> None:
    """DELETE gets 204 for a file and for a folder with its content, and 404 the second time."""
    await alice.http.request("MKCOL", alice.path(folder, "sub"))
    await alice.http.put(alice.path(folder, "sub", "a.txt"), content=b"x")
    assert (await alice.http.delete(alice.path(folder, "sub"))).status_code == 204
    assert (await alice.http.delete(alice.path(folder, "sub"))).status_code == 404
    assert (await alice.http.get(alice.path(folder, "sub", "a.txt"))).status_code == 404


async def test_home_folder_cannot_be_deleted(alice: Person) -> None:
    """Nextcloud refuses to delete a user's home folder."""
    assert (await alice.http.delete(alice.path() + "/")).status_code == 403


async def test_move_keeps_id_and_etag(alice: Person, folder: str) -> None:
    """MOVE gets 201, and the file keeps its id and ETag under the new name."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"x")
    before = await properties(alice.http, alice.path(folder, "a.txt"))
    assert (await _transfer(alice, "MOVE", (folder, "a.txt"), (folder, "b.txt"))).status_code == 201
    after = await properties(alice.http, alice.path(folder, "b.txt"))
    assert (before["oc:fileid"], before["d:getetag"]) == (after["oc:fileid"], after["d:getetag"])
    assert (await alice.http.get(alice.path(folder, "a.txt"))).status_code == 404


async def test_copy_creates_a_new_file(alice: Person, folder: str) -> None:
    """COPY gets 201, and the copy has its own id; a folder is copied with its content."""
    await alice.http.request("MKCOL", alice.path(folder, "a"))
    await alice.http.put(alice.path(folder, "a", "a.txt"), content=b"x")
    assert (await _transfer(alice, "COPY", (folder, "a"), (folder, "b"))).status_code == 201
    first = await properties(alice.http, alice.path(folder, "a", "a.txt"))
    second = await properties(alice.http, alice.path(folder, "b", "a.txt"))
    assert first["oc:fileid"] != second["oc:fileid"]


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
async def test_overwrite_header_controls_replacing(alice: Person, folder: str, method: str) -> None:
    """`Overwrite: F` gets 412 if the destination exists; `T` replaces it with 204."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"new")
    await alice.http.put(alice.path(folder, "b.txt"), content=b"old")
    refused = await _transfer(alice, method, (folder, "a.txt"), (folder, "b.txt"), overwrite="F")
    assert refused.status_code == 412
    assert (await alice.http.get(alice.path(folder, "b.txt"))).content == b"old"
    done = await _transfer(alice, method, (folder, "a.txt"), (folder, "b.txt"), overwrite="T")
    assert done.status_code == 204
    assert (await alice.http.get(alice.path(folder, "b.txt"))).content == b"new"


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
async def test_folder_as_destination_is_replaced(alice: Person, folder: str, method: str) -> None:
    """Nothing is moved into a destination folder: `Overwrite: F` gets 412, and `T` replaces the folder by the file."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"new")
    await alice.http.request("MKCOL", alice.path(folder, "sub"))
    await alice.http.put(alice.path(folder, "sub", "b.txt"), content=b"old")
    refused = await _transfer(alice, method, (folder, "a.txt"), (folder, "sub"), overwrite="F")
    assert refused.status_code == 412
    assert (await alice.http.get(alice.path(folder, "sub", "b.txt"))).content == b"old"
    done = await _transfer(alice, method, (folder, "a.txt"), (folder, "sub"), overwrite="T")
    assert done.status_code == 204
    assert (await alice.http.get(alice.path(folder, "sub"))).content == b"new"
    assert (await alice.http.get(alice.path(folder, "sub", "b.txt"))).status_code == 404


async def test_copy_over_the_parent_folder_loses_both(alice: Person, folder: str) -> None:
    """`Overwrite: T` deletes the folder first, so nothing is left to copy; MOVE gets 403."""
    source, above = (folder, "sub", "deep", "a.txt"), (folder, "sub")
    for path in (above, source[:-1]):
        await alice.http.request("MKCOL", alice.path(*path))
    await alice.http.put(alice.path(*source), content=b"x")
    assert (await _transfer(alice, "COPY", source, above, overwrite="T")).status_code >= 400
    assert (await alice.http.get(alice.path(*source))).status_code == 404


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
async def test_impossible_move_or_copy_is_refused(alice: Person, folder: str, method: str) -> None:
    """A missing source gets 404, a missing parent or a folder into itself 409, a file onto itself 403."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"x")
    cases = {
        ("none.txt", "b.txt"): 404,
        ("a.txt", "none/b.txt"): 409,
        ("a.txt", "a.txt"): 403,
        ("", "inside"): 409,
    }
    for (source, destination), status in cases.items():
        names = [folder, *source.split("/")] if source else [folder]
        answer = await _transfer(alice, method, names, [folder, *destination.split("/")], overwrite="T")
        assert answer.status_code == status, (source, destination)
    assert (await alice.http.get(alice.path(folder, "a.txt"))).content == b"x"


async def test_proppatch_sets_and_clears_favorite(alice: Person, folder: str) -> None:
    """PROPPATCH of `oc:favorite` sets and clears the favorite flag."""
    path = alice.path(folder, "a.txt")
    await alice.http.put(path, content=b"x")
    for star in ("1", "0"):
        body = (
            '<d:propertyupdate xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:set><d:prop>'
            f"<oc:favorite>{star}</oc:favorite></d:prop></d:set></d:propertyupdate>"
        )
        assert (await alice.http.request("PROPPATCH", path, content=body)).status_code == 207
        assert (await properties(alice.http, path))["oc:favorite"] == star


async def test_x_oc_mtime_sets_the_date(alice: Person, folder: str) -> None:
    """`X-OC-MTime` sets the modification date of the written file."""
    path = alice.path(folder, "a.txt")
    await alice.http.put(path, content=b"x", headers={"X-OC-MTime": "1700000000"})
    assert (await properties(alice.http, path))["d:getlastmodified"] == "Tue, 14 Nov 2023 22:13:20 GMT"


async def _transfer(
    person: Person, method: str, source: Sequence[str], destination: Sequence[str], overwrite: str = "F"
) -> httpx.Response:
    headers = {"Destination": person.address(*destination), "Overwrite": overwrite}
    return await person.http.request(method, person.path(*source), headers=headers)


NAMES: Final[Mapping[str, str]] = {
    "back\\slash": '"\\" is not allowed inside a file or folder name.',
    "n" * 260: "Filename is too long",
    "x.filepart": '".filepart" is a forbidden file type.',
}


@pytest.mark.parametrize(("name", "why"), NAMES.items())
async def test_reserved_name_is_400(alice: Person, folder: str, name: str, why: str) -> None:
    """A reserved name gets 400 with its own exception and a readable message."""
    refused = await alice.http.put(alice.path(folder, name), content=b"x", headers={"If-None-Match": "*"})
    assert (refused.status_code, exception(refused)) == (400, "InvalidPath")
    assert why in unescape(refused.text)


HTACCESS: Final = {
    32: (400, "InvalidPath", "Filename is a reserved word"),
    34: (500, "ForbiddenException", "Invalid path: files/"),
}
"""Status, exception and message for a file named `.htaccess`."""


@pytest.mark.by_release
async def test_apache_file_name_is_refused(alice: Person, folder: str, release: int) -> None:
    """Names such as `.htaccess` get 400, or 500 with another exception in Nextcloud 34, both with a message."""
    refused = await alice.http.put(alice.path(folder, ".htaccess"), content=b"x", headers={"If-None-Match": "*"})
    status, name, message = of_release(release, HTACCESS)
    assert (refused.status_code, exception(refused)) == (status, name)
    assert message in refused.text


async def test_part_file_names_behave_inconsistently(alice: Person, folder: str) -> None:
    """Such a file seems to exist with an empty ETag, cannot be created, and its DELETE gets 204."""
    path = alice.path(folder, "x.part")
    assert (await properties(alice.http, path))["d:getetag"] == '""'
    put = await alice.http.put(path, content=b"x", headers={"If-None-Match": "*"})
    assert (put.status_code, exception(put)) == (412, "PreconditionFailed")
    assert (await alice.http.request("MKCOL", path)).status_code == 405
    plain = await alice.http.put(path, content=b"x")
    assert (plain.status_code, exception(plain)) == (400, "InvalidPath")
    assert '".part" is a forbidden file type.' in unescape(plain.text)
    assert (await alice.http.delete(path)).status_code == 204
