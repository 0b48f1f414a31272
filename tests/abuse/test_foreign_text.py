"""Text of callers and other users: no text stops the server, and none is interpreted as anything but text."""

import base64
import uuid
from typing import Any

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from stack.chain import Chain
from tests.abuse.limited_server import LimitedServer
from tests.support.http import patient_client
from tests.support.mcp_http import HEADERS, call_tool, result
from tests.support.oauth import sign_in
from tests.support.run import PEOPLE

SCOPES = "contacts:read contacts:write files:read files:write"
CARD = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:{uid}\r\nFN:Carol\r\n{line}\r\nEND:VCARD\r\n"
STORED = (
    '<d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav">'
    "<d:prop><c:address-data/></d:prop></d:propfind>"
)


class Alice:
    """Alice, who calls tools at a server, and puts into Nextcloud what somebody else might have put there."""

    def __init__(self, server: LimitedServer, token: str, cloud: httpx.AsyncClient) -> None:
        self._server = server
        self._token = token
        self.cloud = cloud

    async def use(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its result."""
        return result(await call_tool(self._server.url, tool, token=self._token, host=self._server.host, **arguments))

    async def post(self, body: bytes) -> httpx.Response:
        """Send any bytes as a message."""
        headers = HEADERS | {"Authorization": f"Bearer {self._token}", "Host": self._server.host}
        async with patient_client() as http:
            return await http.post(self._server.url, content=body, headers=headers)

    async def card(self, uid: str) -> str:
        """Return a card as it is stored."""
        path = f"/remote.php/dav/addressbooks/users/alice/contacts/{uid}.vcf"
        answer = await self.cloud.request("PROPFIND", path, content=STORED, headers={"Depth": "0"})
        assert answer.status_code == 207, answer.text
        found = fromstring(answer.content)
        return str(found.findtext(".//{urn:ietf:params:xml:ns:carddav}address-data", ""))


@pytest.fixture
async def alice(limited: LimitedServer, chain: Chain) -> Any:
    """Alice, with the scopes for contacts and files, and a way to Nextcloud of her own."""
    tokens = await sign_in(chain.keycloak, **PEOPLE["alice"], scope=f"{limited.scope} {SCOPES}")
    direct = await sign_in(chain.keycloak, **PEOPLE["alice"], scope="nextcloud-mcp:pass-through")
    headers = {"Authorization": f"Bearer {direct['access_token']}", "OCS-APIRequest": "true"}
    async with patient_client(base_url=chain.nextcloud.url, headers=headers) as cloud:
        yield Alice(limited, tokens["access_token"], cloud)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("X-A" + ";A" * 60, id="60 parameters without a colon"),
        pytest.param("X-A" + ";A=b" * 100_000 + ":x", id="100,000 parameters"),
        pytest.param('X-A;A="' + 'a",' * 100_000, id="quotation marks without an end"),
        pytest.param("NOTE:" + "\\" * 500_000, id="backslashes"),
        pytest.param("\r\n".join(["TEL:1"] * 9_000), id="9,000 numbers"),
    ],
)
async def test_malformed_stored_contact_does_not_stop_the_server(alice: Alice, line: str) -> None:
    """A stored card with any line can be listed, changed and deleted, and the server continues to work."""
    uid = f"abuse-{uuid.uuid4().hex[:8]}"
    path = f"/remote.php/dav/addressbooks/users/alice/contacts/{uid}.vcf"
    put = await alice.cloud.put(
        path, content=CARD.format(uid=uid, line=line).encode(), headers={"Content-Type": "text/vcard; charset=utf-8"}
    )
    assert put.status_code == 201, put.text
    try:
        changed = await alice.use(
            "nc_contacts_update_contact", addressbook="contacts", uid=uid, contact_data={"note": "n", "tel": ["2"]}
        )
        assert changed.get("isError") is not True, changed
        await alice.use("nc_contacts_list_contacts", addressbook="contacts")
        deleted = await alice.use("nc_contacts_delete_contact", addressbook="contacts", uid=uid)
        assert deleted.get("isError") is not True, deleted
    finally:
        await alice.cloud.delete(path)
    assert (await alice.use("nc_whoami"))["structuredContent"]["user_id"] == "alice"


@pytest.mark.parametrize("body", [b"[" * 1_000_000, b'{"a":' * 500_000, b'{"id":' + b"9" * 1_000_000 + b"}"])
async def test_deeply_nested_message_is_not_json_rpc(alice: Alice, body: bytes) -> None:
    """A megabyte of brackets or digits is refused as invalid JSON-RPC."""
    assert (await alice.post(body)).status_code in {400, 413}
    assert (await alice.use("nc_whoami"))["structuredContent"]["user_id"] == "alice"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028"])
async def test_contact_fields_cannot_inject_vcard_lines(alice: Alice, end: str) -> None:
    """Neither group members nor any kind of line break in a text can add a telephone number."""
    uid, hostile = f"abuse-{uuid.uuid4().hex[:8]}", f"x{end}TEL:+1666"
    for fields in ({"members": [hostile]}, {"note": hostile, "org": [hostile], "nickname": [hostile]}):
        made = await alice.use(
            "nc_contacts_create_contact", addressbook="contacts", uid=uid, contact_data={"fn": "Group", **fields}
        )
        if made.get("isError"):
            assert "line end" in str(made), made
            continue
        lines = (await alice.card(uid)).replace("\r\n ", "").replace("\n ", "").splitlines()
        assert not [line for line in lines if line.startswith("TEL")]
        await alice.use("nc_contacts_delete_contact", addressbook="contacts", uid=uid)


@pytest.mark.parametrize("etag", ['x"]) (Not ["y', "x])([])", "x])(<>)", "*", '"*"', 'x", *, "'])
async def test_file_is_not_overwritten_with_a_wrong_etag(alice: Alice, etag: str) -> None:
    """No value of the ETag argument overwrites a file with another ETag, in one call or in parts."""
    name = f"abuse-{uuid.uuid4().hex[:8]}.txt"
    path = f"/remote.php/dav/files/alice/{name}"
    assert (await alice.cloud.put(path, content=b"old")).status_code == 201
    try:
        content = base64.b64encode(b"new").decode()
        parts = await alice.use("nc_webdav_upload_part", path=name, content=content, part=1, size=3, etag=etag)
        whole = await alice.use("nc_webdav_write_file", path=name, content="new", etag=etag)
        assert (parts.get("isError"), whole.get("isError")) == (True, True)
        assert (await alice.cloud.get(path)).content == b"old"
    finally:
        await alice.cloud.delete(path)
