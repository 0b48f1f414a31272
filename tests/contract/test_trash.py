"""The trash: deletion and restoration of files.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/trashbin.html
"""

from dataclasses import dataclass
from urllib.parse import unquote

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from tests.contract.people import Person

_PROPFIND = (
    '<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"><d:prop>'
    "<d:resourcetype/><oc:size/><nc:trashbin-filename/><nc:trashbin-original-location/><nc:trashbin-deletion-time/>"
    "</d:prop></d:propfind>"
)


@dataclass(frozen=True)
class Item:
    """Something in the trash."""

    href: str
    name: str
    location: str
    time: int
    size: int
    is_folder: bool


async def trash_of(person: Person) -> list[Item]:
    """Return what is in somebody's trash, without the trash itself."""
    path = f"/remote.php/dav/trashbin/{person.user}/trash"
    answer = await person.http.request("PROPFIND", path, content=_PROPFIND, headers={"Depth": "1"})
    assert answer.status_code == 207
    itself, *items = fromstring(answer.content).iterfind("{DAV:}response")
    assert itself.findtext("{DAV:}href", "").rstrip("/") == path
    return [
        Item(
            href=item.findtext("{DAV:}href", ""),
            name=item.findtext(".//{http://nextcloud.org/ns}trashbin-filename", ""),
            location=item.findtext(".//{http://nextcloud.org/ns}trashbin-original-location", ""),
            time=int(item.findtext(".//{http://nextcloud.org/ns}trashbin-deletion-time", "0")),
            size=int(item.findtext(".//{http://owncloud.org/ns}size", "-1")),
            is_folder=item.find(".//{DAV:}collection") is not None,
        )
        for item in items
    ]


async def delete(person: Person, *names: str) -> Item:
    """Delete something, and return it as it lies in the trash."""
    assert (await person.http.delete(person.path(*names))).status_code == 204
    (item,) = [item for item in await trash_of(person) if item.location == "/".join(names)]
    return item


async def restore(person: Person, href: str) -> httpx.Response:
    """Put something back."""
    name = href.rstrip("/").rpartition("/")[2]
    destination = f"{str(person.http.base_url).rstrip('/')}/remote.php/dav/trashbin/{person.user}/restore/{name}"
    return await person.http.request("MOVE", href.rstrip("/"), headers={"Destination": destination})


async def test_deleted_file_can_be_restored(alice: Person, folder: str) -> None:
    """The trash identifies a file by name and deletion second; a restored file has its former place and content."""
    await alice.http.put(alice.path(folder, "größe & 1.txt"), content=b"keep")
    item = await delete(alice, folder, "größe & 1.txt")
    assert unquote(item.href).endswith(f"/größe & 1.txt.d{item.time}")
    assert (item.name, item.size, item.is_folder) == ("größe & 1.txt", 4, False)
    assert (await restore(alice, item.href)).status_code == 201
    assert (await alice.http.get(alice.path(folder, "größe & 1.txt"))).content == b"keep"
    assert item.href not in [each.href for each in await trash_of(alice)]
    assert (await restore(alice, item.href)).status_code == 404


async def test_deleted_folder_is_restored_with_its_content(alice: Person, folder: str) -> None:
    """A folder is a single item in the trash."""
    await alice.http.request("MKCOL", alice.path(folder, "sub"))
    await alice.http.put(alice.path(folder, "sub", "a.txt"), content=b"keep")
    item = await delete(alice, folder, "sub")
    assert (item.size, item.is_folder) == (4, True)
    assert (await restore(alice, item.href)).status_code == 201
    assert (await alice.http.get(alice.path(folder, "sub", "a.txt"))).content == b"keep"


async def test_restore_overwrites_nothing(alice: Person, folder: str) -> None:
    """If the name is taken, the restored file gets another name."""
    await alice.http.put(alice.path(folder, "a.txt"), content=b"old")
    item = await delete(alice, folder, "a.txt")
    await alice.http.put(alice.path(folder, "a.txt"), content=b"new")
    assert (await restore(alice, item.href)).status_code == 201
    assert (await alice.http.get(alice.path(folder, "a.txt"))).content == b"new"
    assert (await alice.http.get(alice.path(folder, "a (restored).txt"))).content == b"old"


async def test_restore_without_parent_folder_goes_to_the_root(alice: Person, folder: str) -> None:
    """Nextcloud does not recreate a missing parent folder."""
    name = f"{folder}.txt"
    await alice.http.request("MKCOL", alice.path(folder, "sub"))
    await alice.http.put(alice.path(folder, "sub", name), content=b"keep")
    item = await delete(alice, folder, "sub", name)
    await delete(alice, folder, "sub")
    assert (await restore(alice, item.href)).status_code == 201
    assert (await alice.http.get(alice.path(name))).content == b"keep"
    await delete(alice, name)


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
async def test_replaced_file_is_in_the_trash(alice: Person, folder: str, method: str) -> None:
    """A file that a move or copy replaces is in the trash."""
    for name, content in (("a.txt", b"new"), ("b.txt", b"old")):
        await alice.http.put(alice.path(folder, name), content=content)
    headers = {"Destination": alice.address(folder, "b.txt"), "Overwrite": "T"}
    assert (await alice.http.request(method, alice.path(folder, "a.txt"), headers=headers)).status_code == 204
    (item,) = [item for item in await trash_of(alice) if item.location == f"{folder}/b.txt"]
    assert (await alice.http.get(alice.path(folder, "b.txt"))).content == b"new"
    assert (await restore(alice, item.href)).status_code == 201
    assert (await alice.http.get(alice.path(folder, "b (restored).txt"))).content == b"old"


async def test_trash_of_other_users_is_not_accessible(alice: Person, bob: Person, folder: str) -> None:
    """A user can neither list nor restore what another user deleted.

    The name is unique: items of one name that two users deleted at the same second have the same id.
    """
    name = f"{folder}.txt"
    await alice.http.put(alice.path(folder, name), content=b"private")
    item = await delete(alice, folder, name)
    assert item.location not in [each.location for each in await trash_of(bob)]
    own = item.href.replace(f"/trashbin/{alice.user}/", f"/trashbin/{bob.user}/")
    assert (await restore(bob, own)).status_code == 404
