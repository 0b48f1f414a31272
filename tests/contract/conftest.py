"""Fixtures for contract tests: signed-in users, and folders and calendars that are deleted afterwards.

They run against whatever `nextcloud_url` is: the stand-in or, with `NEXTCLOUD_URL`, a real Nextcloud. Tests marked
`by_release` run twice on the stand-in: as the newer and as the older release.
"""

import json
import os
import time
import uuid
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
import pytest

from stack.chain import Chain
from stack.nextcloud import run_nextcloud
from stack.process import free_port
from tests.contract.calendars import Place, make
from tests.contract.people import Person
from tests.contract.releases import NEWER, OLDER
from tests.support.http import patient_client

TokenFor = Callable[[str], Awaitable[str]]
_LONGEST_TEST = 20  # seconds


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests marked `by_release` with both releases that the stand-in plays."""
    if metafunc.definition.get_closest_marker("by_release") is None:
        return
    has_own_standin = metafunc.config.getoption("chain") == "processes" and not os.environ.get("NEXTCLOUD_URL")
    if has_own_standin:
        metafunc.parametrize("played", [NEWER, OLDER], indirect=True, ids=lambda release: f"Nextcloud {release}")


@pytest.fixture
def played(request: pytest.FixtureRequest) -> int | None:
    """The release that the test asks the stand-in to play; None for that of the run."""
    release: int | None = getattr(request, "param", None)
    return release


@pytest.fixture(scope="session")
def older_url(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a stand-in that plays the older release."""
    state, port = tmp_path_factory.mktemp("older"), free_port()
    config = replace(chain.config, state=state, nextcloud_port=port, standin_release=OLDER)
    with run_nextcloud(config, chain.keycloak) as nextcloud:
        yield nextcloud.url


@pytest.fixture
def nextcloud_url(chain: Chain, played: int | None, request: pytest.FixtureRequest) -> str:
    """A Nextcloud that trusts the realm, of the release that the test asks for."""
    if played == OLDER and chain.config.standin_release != OLDER:
        return str(request.getfixturevalue("older_url"))
    return chain.nextcloud.url


@pytest.fixture
async def release(anonymous: httpx.AsyncClient) -> int:
    """The major version of Nextcloud, also of one that the stand-in plays."""
    return int((await anonymous.get("/status.php")).json()["version"].partition(".")[0])


@pytest.fixture
async def anonymous(nextcloud_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client without a token."""
    async with _client(nextcloud_url, {}) as client:
        yield client


@pytest.fixture(scope="session")
def wallet() -> dict[str, str]:
    """Tokens by user name: a sign-in takes longer than a test, so a token serves as long as it lasts."""
    return {}


@pytest.fixture
async def alice(nextcloud_url: str, token_for: TokenFor, wallet: dict[str, str]) -> AsyncIterator[Person]:
    """Alice, signed in."""
    async with _signed_in(nextcloud_url, await _token("alice", token_for, wallet)) as client:
        yield await _person(client)


@pytest.fixture
async def bob(nextcloud_url: str, token_for: TokenFor, wallet: dict[str, str]) -> AsyncIterator[Person]:
    """Bob, signed in."""
    async with _signed_in(nextcloud_url, await _token("bob", token_for, wallet)) as client:
        yield await _person(client)


@pytest.fixture
async def folder(alice: Person) -> AsyncIterator[str]:
    """The name of a new folder of Alice's, which goes with all it holds."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    created = await alice.http.request("MKCOL", alice.path(name))
    assert created.status_code == 201
    yield name
    await alice.http.delete(alice.path(name))


@pytest.fixture
async def category(alice: Person) -> AsyncIterator[str]:
    """A category of Alice's notes that is hers alone and goes with its notes."""
    name = f"Contract {uuid.uuid4().hex[:8]}"
    yield name
    await alice.http.delete(alice.path("Notes", name))


async def _token(username: str, token_for: TokenFor, wallet: dict[str, str]) -> str:
    if username not in wallet or _expiry(wallet[username]) < time.time() + _LONGEST_TEST:
        wallet[username] = await token_for(username)
    return wallet[username]


def _expiry(token: str) -> float:
    payload = token.split(".")[1]
    return float(json.loads(urlsafe_b64decode(payload + "=="))["exp"])


def _client(url: str, headers: dict[str, str]) -> httpx.AsyncClient:
    # Nextcloud sets cookies on every response; sent back they would make a session of the calls
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return patient_client(base_url=url, headers=headers, cookies=no_cookies)


def _signed_in(url: str, token: str) -> httpx.AsyncClient:
    return _client(url, {"Authorization": f"Bearer {token}", "OCS-APIRequest": "true"})


async def _person(client: httpx.AsyncClient) -> Person:
    answer = await client.get("/ocs/v2.php/cloud/user", params={"format": "json"})
    assert answer.status_code == 200, answer.text
    return Person(client, answer.json()["ocs"]["data"]["id"])


@pytest.fixture(scope="session")
def shelf() -> dict[str, str]:
    """The names of the calendars of this run: Nextcloud lets nobody make more than ten an hour."""
    return {}


@pytest.fixture
async def place(alice: Person, shelf: dict[str, str]) -> AsyncIterator[Place]:
    """An empty calendar of Alice's for events and tasks."""
    if "place" not in shelf:
        shelf["place"] = f"contract-{uuid.uuid4().hex[:8]}"
        assert (await make(alice, shelf["place"], "VEVENT", "VTODO")).status_code == 201
    place = Place(alice, shelf["place"])
    yield place
    for kind in ("VEVENT", "VTODO"):
        for name in await place.query("", kind):
            await place.http.delete(f"{place.path}{name}.ics")


@pytest.fixture
def uid() -> str:
    """A UID that nothing ever had: deleted ones can't be used again while they are in the trash bin."""
    return uuid.uuid4().hex
