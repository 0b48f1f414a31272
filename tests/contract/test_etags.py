"""ETag conditions (RFC 9110 section 13.1.1) as sabre/dav, Nextcloud's WebDAV library, evaluates them."""

import uuid
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest

from tests.contract.calendars import Place, ics
from tests.contract.multistatus import exception, properties
from tests.contract.people import Person
from tests.contract.test_contacts import SIMPLE

HOLD: Final = {"*": "any", "{etag}": "the ETag", '"old", {etag}': "the ETag in a list"}
FAIL: Final = {
    '"*"': "any, in quotes",
    '"old", *': "any, in a list",
    '"old"': "another ETag",
    "{bare}": "the ETag without quotes",
    "W/{etag}": "the ETag as a weak one",
}


class Kept:
    """Something of Alice's that has an ETag and can be written with PUT."""

    def __init__(self, alice: Person, path: str, media_type: str, content: str) -> None:
        self.http = alice.http
        self.path = path
        self.content = content.encode()
        self.media_type = {"Content-Type": media_type}

    async def put(self, **conditions: str) -> httpx.Response:
        """Write it; underscores in names of headers stand for hyphens."""
        headers = {name.replace("_", "-"): value for name, value in conditions.items()}
        return await self.http.put(self.path, content=self.content, headers=self.media_type | headers)

    async def etag(self) -> str:
        """Its present ETag, in quotes."""
        return (await properties(self.http, self.path))["d:getetag"]

    async def condition(self, template: str) -> str:
        """A header's value, with the present ETag in it."""
        etag = await self.etag()
        return template.format(etag=etag, bare=etag.strip('"'))


@pytest.fixture(params=["file", "event", "contact"])
async def kept(request: pytest.FixtureRequest, alice: Person, folder: str) -> AsyncIterator[Kept]:
    """One of each kind, not written yet."""
    uid = f"contract-{uuid.uuid4().hex[:8]}"
    kept = {
        "file": Kept(alice, alice.path(folder, "a.txt"), "text/plain", "a"),
        "event": Kept(alice, f"{Place(alice, 'personal').path}{uid}.ics", "text/calendar; charset=utf-8", ics(uid)),
        "contact": Kept(
            alice,
            f"/remote.php/dav/addressbooks/users/{alice.user}/contacts/{uid}.vcf",
            "text/vcard; charset=utf-8",
            SIMPLE.format(uid=uid, fn="Carol"),
        ),
    }[request.param]
    yield kept
    await alice.http.delete(kept.path)


@pytest.mark.parametrize("condition", HOLD, ids=HOLD.values())
async def test_conditions_that_are_met(kept: Kept, condition: str) -> None:
    """A single `*` matches any ETag, and a list matches if it has the current ETag, for PUT and DELETE."""
    assert (await kept.put()).status_code == 201
    assert (await kept.put(If_Match=await kept.condition(condition))).status_code == 204
    deleted = await kept.http.delete(kept.path, headers={"If-Match": await kept.condition(condition)})
    assert deleted.status_code == 204


@pytest.mark.parametrize("condition", FAIL, ids=FAIL.values())
async def test_conditions_that_are_not_met(kept: Kept, condition: str) -> None:
    """`*` in quotes or in a list matches nothing, and only the strong quoted ETag matches."""
    assert (await kept.put()).status_code == 201
    before = await kept.etag()
    headers = {"If-Match": await kept.condition(condition)}
    refused = [await kept.put(If_Match=headers["If-Match"]), await kept.http.delete(kept.path, headers=headers)]
    assert [(each.status_code, exception(each)) for each in refused] == [(412, "PreconditionFailed")] * 2
    assert await kept.etag() == before


@pytest.mark.parametrize("condition", ["*", '"*"', '"old"'])
async def test_missing_file_meets_no_etag_condition(kept: Kept, condition: str) -> None:
    """A missing file meets no condition on its ETag, and nothing is created."""
    refused = await kept.put(If_Match=condition)
    assert (refused.status_code, exception(refused)) == (412, "PreconditionFailed")
    assert (await kept.http.get(kept.path)).status_code == 404
