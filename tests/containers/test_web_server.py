"""Behavior of a real web server: Apache and a real Nextcloud, as in Nextcloud's image.

Tests add directives to the running Apache if they need low limits. They are skipped with the stand-in, which has no
such server.
"""

import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from nextcloud_mcp.apps.cookbook import api as cookbook
from nextcloud_mcp.apps.files import upload, webdav
from nextcloud_mcp.apps.notes import api as notes
from nextcloud_mcp.apps.sharing import api as sharing
from nextcloud_mcp.errors import (
    LockedError,
    NextcloudError,
    NextcloudMCPError,
    NextcloudUnavailableError,
    NotFoundError,
    RateLimitedError,
    TokenNotAcceptedError,
)
from nextcloud_mcp.nextcloud import files
from nextcloud_mcp.nextcloud.account_cache import AccountCache
from nextcloud_mcp.nextcloud.client import Nextcloud, http_client
from stack.chain import Chain
from stack.process import LOOPBACK, free_port
from tests.containers.compose import inspect
from tests.containers.images import STANDIN, prepare_caddy
from tests.support.composed import Project
from tests.support.eventually import eventually
from tests.support.oauth import Person, sign_in
from tests.support.run import TokenFor

CADDYFILE: Final = Path(__file__).parents[2] / "deploy" / "production" / "Caddyfile"
AUTHORITY: Final = "/data/caddy/pki/authorities/local/root.crt"
LIMIT: Final = 100_000
RELOAD_SECONDS: Final = 120
DIRECTIVES: Final = "/etc/apache2/conf-enabled/zz-tests.conf"

Directives = Callable[[str], None]
Attempt = Callable[[], Awaitable[object]]


@pytest.fixture(scope="module")
def apache(running: Project, chain: Chain) -> str:
    """The address of a real Nextcloud behind Apache."""
    if running.environment["NEXTCLOUD_IMAGE"] == STANDIN:
        pytest.skip("needs Nextcloud's image: the stand-in, which has no Apache, plays Nextcloud here")
    return chain.nextcloud.url


@pytest.fixture
def directives(running: Project, apache: str) -> Iterator[Directives]:
    """Adds directives to Apache's configuration, until the test ends."""

    def reload(command: str, text: str, expected: str | None) -> None:
        inside = ["exec", "-T", "--user", "root", "nextcloud", "sh", "-c", f"{command} {DIRECTIVES}"]
        subprocess.run([*running.command, *inside], check=True, input=text.encode(), capture_output=True)
        running.run("kill", "--signal", "HUP", "nextcloud")  # which ends the connections of before
        _await_header(apache, expected)

    def add(text: str) -> None:
        mark = secrets.token_hex(4)
        reload("cat >", f'Header always set X-Directives "{mark}"\n{text}\n', mark)

    yield add
    reload("rm -f", "", None)


def _await_header(url: str, expected: str | None) -> None:
    """Wait until new connections meet the configuration that was loaded last; meanwhile Apache may refuse them."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    deadline = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < deadline:
        connection = HTTPConnection(host or "", port, timeout=RELOAD_SECONDS)
        try:
            connection.request("GET", "/status.php")
            if connection.getresponse().getheader("X-Directives") == expected:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise AssertionError("Apache has not loaded its directives")


@pytest.fixture
async def http(apache: str) -> AsyncIterator[httpx.AsyncClient]:
    """The server's own HTTP client."""
    async with http_client(apache) as client:
        yield client


@pytest.fixture
async def token(token_for: TokenFor) -> str:
    """A token of alice's for Nextcloud."""
    return await token_for("alice")


@pytest.fixture
def alice(http: httpx.AsyncClient, token: str) -> Nextcloud:
    """Nextcloud as alice, as the server sees it."""
    return _as_user(http, token)


@pytest.fixture
async def folder(alice: Nextcloud) -> AsyncIterator[str]:
    """A new folder of alice's, which goes with all that it holds."""
    name = f"/web-server-{secrets.token_hex(4)}"
    await webdav.create_directory(alice, name)
    yield name
    await webdav.delete(alice, name)


def _as_user(http: httpx.AsyncClient, token: str, name: str = "alice") -> Nextcloud:
    return Nextcloud(http, AccountCache(), account=("issuer", name, name), token=token)


async def _create(nextcloud: Nextcloud, path: str, content: bytes = b"one") -> None:
    await webdav.write_file(nextcloud, path, content, content_type=None, etag=None)


async def _read(nextcloud: Nextcloud, path: str) -> webdav.File:
    return await webdav.read_file(nextcloud, path, length=1_000_000)


@pytest.mark.parametrize("suffix", ["", "-gzip"], ids=["as read", "as the web server has it"])
async def test_etag_of_a_compressed_response_can_be_used(
    alice: Nextcloud, folder: str, directives: Directives, token: str, http: httpx.AsyncClient, suffix: str
) -> None:
    """mod_deflate appends `-gzip` to an ETag, which would match nothing; the ETag that a read returns still works."""
    directives("AddOutputFilterByType DEFLATE text/plain")
    path = f"{folder}/a.txt"
    await _create(alice, path, b"words " * 1000)
    raw = await http.get(await files.url_of(alice, path), headers={"Authorization": f"Bearer {token}"})
    read = await _read(alice, path)
    written = await webdav.write_file(alice, path, b"two", content_type=None, etag=f"{read.etag}{suffix}")

    assert raw.headers["content-encoding"] == "gzip"
    assert raw.headers["etag"] == f'"{read.etag}-gzip"'
    assert written.status_code == 204


async def test_etag_of_a_compressed_note_can_be_used(alice: Nextcloud, directives: Directives) -> None:
    """The ETag of a note, whose JSON is compressed as well, still works."""
    directives("AddOutputFilterByType DEFLATE application/json")
    note = await notes.create(alice, title=secrets.token_hex(4), content="words " * 1000, category="")
    read = await notes.get(alice, note.id)
    changed = await notes.update(alice, note.id, etag=read.etag, title=None, content="other", category=None)
    await notes.delete(alice, note.id)

    assert changed.note.content == "other"


@pytest.mark.parametrize("size", [LIMIT + 1, 4_000_000])
async def test_upload_beyond_the_limit_names_the_remedy(
    alice: Nextcloud, folder: str, directives: Directives, size: int
) -> None:
    """Apache's 413 becomes an error with a remedy, and leaves no file; the same file in smaller parts succeeds."""
    directives(f"LimitRequestBody {LIMIT}")
    content = secrets.token_bytes(size)
    path = f"{folder}/large.bin"
    with pytest.raises(NextcloudError, match=r"large\.bin is larger than the web server .* in smaller parts"):
        await _create(alice, path, content)
    with pytest.raises(NotFoundError):
        await _read(alice, path)

    identifier = await upload.start_upload(alice, path)
    with pytest.raises(NextcloudError, match="is larger than the web server"):
        await upload.put_part(alice, identifier, path, 1, content[: LIMIT + 1])
    for part, start in enumerate(range(0, size, LIMIT), 1):
        await upload.put_part(alice, identifier, path, part, content[start : start + LIMIT])
    await upload.assemble(alice, identifier, path, size=size, etag=None)
    assert (await _read(alice, path)).size == size


async def test_upload_at_the_limit_succeeds(alice: Nextcloud, folder: str, directives: Directives) -> None:
    """An upload of exactly the limit succeeds."""
    directives(f"LimitRequestBody {LIMIT}")
    await _create(alice, f"{folder}/a.bin", bytes(LIMIT))
    assert (await _read(alice, f"{folder}/a.bin")).size == LIMIT


async def test_file_is_locked_during_a_write(
    alice: Nextcloud, http: httpx.AsyncClient, folder: str, token: str
) -> None:
    """Nextcloud refuses reads and changes of a file that is being written (MOVE and COPY with 500)."""
    path = f"{folder}/a.txt"
    await _create(alice, path)
    read = await _read(alice, path)
    released = anyio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        await released.wait()

    async def write() -> None:
        headers = {"Authorization": f"Bearer {token}"}
        (await http.put(await files.url_of(alice, path), content=slowly(), headers=headers)).raise_for_status()

    async def locked() -> bool | None:
        try:
            await _read(alice, path)
        except LockedError:
            return True
        return None

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        await eventually(locked)
        attempts: tuple[Attempt, ...] = (
            lambda: webdav.write_file(alice, path, b"two", content_type=None, etag=read.etag),
            lambda: webdav.move(alice, path, f"{folder}/b.txt", overwrite=False),
            lambda: webdav.copy(alice, path, f"{folder}/b.txt", overwrite=False),
            lambda: webdav.delete(alice, path),
        )
        for attempt in attempts:
            with pytest.raises(LockedError, match="try again shortly"):
                await attempt()
        released.set()
    assert (await _read(alice, path)).content == b"x" * 1000


@pytest.mark.parametrize("name", ["n" * 251, "back\\slash", "new\nline", " "])
async def test_refused_name_is_reported_and_changes_nothing(alice: Nextcloud, folder: str, name: str) -> None:
    """The errors of write, move and folder creation name the file name as cause, and existing files stay."""
    await _create(alice, f"{folder}/a.txt")
    attempts: tuple[Attempt, ...] = (
        lambda: _create(alice, f"{folder}/{name}"),
        lambda: webdav.move(alice, f"{folder}/a.txt", f"{folder}/{name}", overwrite=False),
        lambda: webdav.create_directory(alice, f"{folder}/{name}"),
    )
    for attempt in attempts:
        with pytest.raises(NextcloudMCPError, match=r"(?s)does not allow .* name.*choose another name"):
            await attempt()
    assert [file.name for file in await webdav.list_directory(alice, folder)] == ["a.txt"]


async def test_htaccess_is_reported_as_forbidden_name(alice: Nextcloud, folder: str) -> None:
    """The error says that the name is not allowed, although Nextcloud answers with 500."""
    with pytest.raises(NextcloudError, match=r"does not allow the name of .*/\.htaccess"):
        await _create(alice, f"{folder}/.htaccess")


@pytest.mark.parametrize(
    "name", [".hidden", "two  words ", "a+b.txt", "100%.txt", "%2F.txt", "a#b;c?.txt", "a:b|c<d>.txt", "CON", "n" * 246]
)
async def test_unusual_names_work_behind_apache(alice: Nextcloud, folder: str, name: str) -> None:
    """Names that Nextcloud permits are the same after a write, a list, a move and a read."""
    await _create(alice, f"{folder}/{name}")
    await webdav.move(alice, f"{folder}/{name}", f"{folder}/2{name}", overwrite=False)
    (listed,) = await webdav.list_directory(alice, f"{folder}/")
    assert (listed.name, (await _read(alice, listed.path)).content) == (f"2{name}", b"one")


async def test_too_long_path_asks_for_a_shorter_name(alice: Nextcloud, folder: str) -> None:
    """Apache's 414 becomes an error that asks for a shorter name."""
    with pytest.raises(NextcloudError, match="too long for the web server"):
        await _create(alice, folder + "/n" * 5000)


async def test_encoded_slash_in_a_path(alice: Nextcloud) -> None:
    """Apache answers a path with `%2F` with a 404 page; a category with a slash can still be requested."""
    with pytest.raises(NotFoundError, match="Nextcloud did not find calendar a/b"):
        await alice.request("PROPFIND", "/remote.php/dav/calendars/alice/a%2Fb/", about="calendar a/b")
    with pytest.raises(NotFoundError, match=r"^No category 'a/"):  # which Cookbook says, and not Apache
        await cookbook.in_category(alice, f"a/{secrets.token_hex(4)}")


async def test_token_longer_than_apaches_header_limit(http: httpx.AsyncClient, token: str) -> None:
    """Apache accepts headers up to 8,190 bytes; for longer tokens the error tells the administrator where to look."""
    with pytest.raises(NextcloudUnavailableError, match="limits of the web server"):
        await _as_user(http, token + "x" * 9000).user_id()


async def test_untrusted_domain_is_an_administrators_error(alice: Nextcloud) -> None:
    """Nextcloud's page about trusted domains becomes an error for the administrator, not about the arguments."""
    with pytest.raises(NextcloudUnavailableError, match="trusted_domains"):
        await alice.request("GET", "/ocs/v2.php/cloud/user", about="you", headers={"Host": "elsewhere.example"})


async def test_forbidden_by_apache_is_not_a_missing_permission(alice: Nextcloud, directives: Directives) -> None:
    """The error for a 403 of Apache names the web server's rules, not a permission of the note's owner."""
    rule = "Require all denied\nErrorDocument 403 default"
    directives(f'<LocationMatch "/apps/notes/">\n{rule}\n</LocationMatch>')
    with pytest.raises(NextcloudUnavailableError, match="rules and limits of the web server"):
        await notes.list_all(alice)


async def test_paths_with_and_without_index_php_agree(http: httpx.AsyncClient, token: str) -> None:
    """The response is the same with and without `index.php`; the server uses the longer path, which always works."""
    headers = {"Authorization": f"Bearer {token}"}
    for path in ("/apps/notes/api/v1/settings", "/apps/deck/api/v1.1/boards", "/apps/cookbook/api/v1/config"):
        long, short = [await http.get(prefix + path, headers=headers) for prefix in ("/index.php", "")]
        assert (short.status_code, short.json()) == (long.status_code, long.json()) == (200, long.json())


async def test_connection_closed_after_100_requests_fails_no_call(alice: Nextcloud, http: httpx.AsyncClient) -> None:
    """Apache announces that it closes a connection after 100 requests: no call fails, read or write."""
    for _ in range(120):
        await alice.request("GET", "/status.php", about="its status")
        (await http.post("/status.php")).raise_for_status()


async def test_head_and_expect_100_continue(alice: Nextcloud, http: httpx.AsyncClient, folder: str, token: str) -> None:
    """`Expect: 100-continue` works, and HEAD returns the length and the ETag of the uncompressed response."""
    url = await files.url_of(alice, f"{folder}/a.txt")
    headers = {"Authorization": f"Bearer {token}"}
    put = await http.put(url, content=b"words " * 1000, headers={**headers, "Expect": "100-continue"})
    head = await http.head(url, headers=headers)

    assert (put.status_code, head.status_code) == (201, 200)
    assert (head.headers["content-length"], head.headers["etag"]) == ("6000", put.headers["etag"])


async def test_wrong_tokens_trigger_no_rate_limit(
    running: Project, alice: Nextcloud, http: httpx.AsyncClient, token: str
) -> None:
    """Wrong tokens do not count for Nextcloud's rate limit by address, and wrong passwords do not block tokens.

    All requests come from this server's address. After ten wrong passwords Nextcloud answers the next with 429, but
    users with a token are not affected.
    """
    forger = _as_user(http, token[:-8] + "A" * 8)
    for _ in range(15):
        for attempt in (forger.user_id(), forger.request("PROPFIND", "/remote.php/dav/", about="it")):
            with pytest.raises(TokenNotAcceptedError):
                await attempt
    assert await alice.user_id() == "alice"
    gateway = _gateway(running)
    try:
        statuses = {(await http.get("/ocs/v2.php/cloud/user", auth=("alice", "wrong"))).status_code for _ in range(15)}
        assert 429 in statuses
        await webdav.list_directory(alice, "/")
        assert (await _as_user(http, token).user()).id == "alice"
    finally:
        running.run(
            "exec", "-T", "--user", "www-data", "nextcloud", *("php", "occ", "security:bruteforce:reset", gateway)
        )


def _gateway(running: Project) -> str:
    """Return the address from which this machine's requests reach Nextcloud."""
    container = inspect("container", running.run("ps", "--quiet", "nextcloud").strip())
    (network,) = container["NetworkSettings"]["Networks"].values()
    gateway: str = network["Gateway"]
    return gateway


async def test_share_rate_limit_is_reported(chain: Chain, http: httpx.AsyncClient) -> None:
    """Nextcloud permits 20 new shares in ten minutes per user: then it returns 429, and other calls still work."""
    somebody = Person(username=f"sharer-{secrets.token_hex(4)}", password=secrets.token_hex(8))
    administration = chain.keycloak.admin()
    number = administration.create_user(
        {
            "username": somebody["username"],
            "email": f"{somebody['username']}@example.test",
            "firstName": "One",
            "lastName": "Sharer",
            "enabled": True,
            "credentials": [{"type": "password", "value": somebody["password"], "temporary": False}],
        }
    )
    tokens = await sign_in(chain.keycloak, **somebody, scope="nextcloud-mcp:pass-through")
    sharer = _as_user(http, tokens["access_token"], somebody["username"])
    await _create(sharer, "/shared.txt")

    async def share() -> None:
        await sharing.create(
            sharer, "/shared.txt", share_type=sharing.LINK, share_with="", permissions=1, password=None, expires=None
        )

    try:
        for _ in range(20):
            await share()
        with pytest.raises(RateLimitedError, match="asks for a pause: try again later"):
            await share()
        assert len(await sharing.list_all(sharer, path=None, shared_with_me=False)) == 20
    finally:
        await webdav.delete(sharer, "/shared.txt")
        administration.delete_user(number)


@pytest.fixture(scope="module")
def caddy(running: Project, apache: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Nextcloud behind Caddy, with the Caddyfile of production: its address, and the authority that signs for it."""
    del apache
    image = prepare_caddy(running.environment)
    port = free_port()
    names = {"MCP_DOMAIN": "mcp.localhost", "KEYCLOAK_DOMAIN": "id.localhost", "NEXTCLOUD_DOMAIN": "localhost"}
    options = {**names, "CADDY_OPTIONS": "local_certs"}
    where = ["--network", f"{running.name}_default", "--publish", f"{LOOPBACK}:{port}:443"]
    where += ["--volume", f"{CADDYFILE}:/etc/caddy/Caddyfile:ro"]
    environment = [part for name, value in options.items() for part in ("--env", f"{name}={value}")]
    run = ["docker", "run", "--detach", "--rm", *where, *environment, image]
    container = subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()
    authority = tmp_path_factory.mktemp("caddy") / "authority.crt"
    try:
        _await_caddy(f"https://localhost:{port}/status.php", container)
        read = ["docker", "exec", container, "cat", AUTHORITY]
        authority.write_text(subprocess.run(read, check=True, capture_output=True, text=True).stdout)
        yield f"https://localhost:{port}", authority
    finally:
        subprocess.run(["docker", "rm", "--force", container], check=True, capture_output=True)


def _await_caddy(url: str, container: str) -> None:
    deadline = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.get(url, verify=False, trust_env=False, timeout=RELOAD_SECONDS).raise_for_status()  # noqa: S501
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    logs = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=False)
    raise AssertionError(f"Caddy does not answer: {logs.stderr[-2000:]}")


async def test_large_file_round_trip_through_caddy(caddy: tuple[str, Path], token: str) -> None:
    """Behind Caddy the server's client writes 4 MB, reads the file and replaces it with the returned ETag."""
    url, authority = caddy
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", str(authority))
        async with http_client(url) as http:
            alice = _as_user(http, token)
            path = f"/caddy-{secrets.token_hex(4)}.txt"
            content = b"words " * 700_000
            await _create(alice, path, content)
            read = await webdav.read_file(alice, path, length=len(content), whole=True)
            again = await webdav.write_file(alice, path, b"two", content_type=None, etag=read.etag)
            await webdav.delete(alice, path)
    assert read.content == content
    assert again.status_code == 204


def _curl_speaks_http_2() -> bool:
    return "HTTP2" in subprocess.run(["curl", "--version"], capture_output=True, text=True, check=False).stdout


async def test_http_2_client_through_caddy(caddy: tuple[str, Path], token: str) -> None:
    """A client that offers HTTP/2 gets HTTP/1.1, and its token, methods and ETags arrive unchanged."""
    url, authority = caddy
    if not _curl_speaks_http_2():
        pytest.skip("`curl --version` names no HTTP2, and the project's HTTP client speaks HTTP/1.1 alone")
    address = f"{url}/remote.php/dav/files/alice/http2-{secrets.token_hex(4)}.txt"

    def curl(*arguments: str) -> tuple[list[str], dict[str, str]]:
        command = ["curl", "--silent", "--show-error", "--http2", "--cacert", str(authority), "--dump-header", "-"]
        command += ["--output", "/dev/null", "--header", "@-", *arguments, address]
        sent = f"Authorization: Bearer {token}\nOCS-APIRequest: true\n"
        done = subprocess.run(command, input=sent, capture_output=True, text=True, check=True)
        first, *lines = done.stdout.strip().splitlines()
        pairs = [line.split(": ", 1) for line in lines if ": " in line]
        return first.split()[:2], {name.lower(): value for name, value in pairs}

    created, headers = curl("--request", "PUT", "--data-binary", "words " * 1000)
    listed, _ = curl("--request", "PROPFIND", "--header", "Depth: 0")
    read, compressed = curl("--compressed")
    replaced, _ = curl("--request", "PUT", "--data-binary", "two", "--header", f"If-Match: {compressed['oc-etag']}")
    deleted, _ = curl("--request", "DELETE")

    assert [status for _, status in (created, listed, read, replaced, deleted)] == ["201", "207", "200", "204", "204"]
    assert {protocol for protocol, _ in (created, listed, read)} == {"HTTP/1.1"}
    assert headers["etag"] == headers["oc-etag"] == compressed["oc-etag"]
