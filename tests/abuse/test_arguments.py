"""Any arguments, envelopes and headers give a result or a declared error, and nothing crashes.

Each response is checked, and so is the log of that time: no unexpected error, no traceback, no long line.
"""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextcloud_mcp.catalogue import APPS
from nextcloud_mcp.prompts import PROMPTS
from stack.chain import Chain
from tests.abuse.limited_server import LimitedServer
from tests.support.administration import somebody_new
from tests.support.declared import OFFER, RESOURCE_SCOPES, TOOL_SCOPES
from tests.support.mcp_http import HEADERS
from tests.support.oauth import Person, sign_in
from tests.support.server import LEGACY, MODERN, meta

MAX_LINE: Final = 4096

TOKEN_SECONDS: Final = 120
"""How long a token is used, of the five minutes for which it is valid."""

ANSWERS: Final = frozenset({200, 202, 400, 403, 404, 405, 406, 409, 413, 415, 429, 503})
"""The HTTP statuses that a request with a good token may get."""

few = settings(max_examples=12, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
many = settings(few, max_examples=150)

NASTY: Final = (
    "",
    " ",
    "\0",
    "a\0b",
    "\n",
    "a@example.org\nb@example.org",
    "a\r\nTEL:+1666\r\n",
    "\r",
    "\x85\u2028\u2029",
    "\x7f\x1b[2J",
    "\u202eabc\u202c",
    "\ufeffa",
    "\ud800",
    "a\udfff/b",
    "\udcff\ud800",
    "\U0001f600" * 50,
    "\u0130\u0131\u017f\u1e9e",
    "..",
    "../../etc/passwd",
    "%2e%2e/%00",
    "a/" * 150,
    "a" * 300,
    "9" * 400,
    "-1",
    "1e999",
    "NaN",
    "null",
    "{}",
    "[1]",
    '{"a": [1, "b"]}',
    "[" * 300,
    "'\";`$(id)<x>&amp;]]>",
    "%s%n{0}{about}",
    "0001-01-01",
    "9999-12-31",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "2026-02-30",
    "2026-13-45T99:99:99",
    "99999-01-01",
    "2026-11-26",
    "2026-11-26T10:00:00+25:00",
    "24:60",
    "P1000000000000Y",
    "FREQ=SECONDLY;INTERVAL=0",
    "FREQ=DAILY;COUNT=99999999999999999999",
    "FREQ=YEARLY;BYMONTHDAY=31;BYMONTH=2;UNTIL=99991231T235959Z",
    "Europe/Berlin",
    "../../../etc/localtime",
    "personal",
    "contacts",
    "#GGGGGG",
    "COMPLETED",
    "delete",
    "list",
    "update",
    "image/png;base64",
    'W/"a"',
    '"x"]) (Not ["y"',
)

SURE_NUMBERS: Final = (0, -1, 1, 2, 3, 7, 100, 2**31, 2**63, -(2**63) - 1, 2**64, 10**40, 1e308, -0.0, 0.5)

nasty_text = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(codec=None, categories=None), max_size=30),
    st.builds("{}{}".format, st.sampled_from(NASTY), st.sampled_from(NASTY)),
)
numbers = st.one_of(
    st.sampled_from(SURE_NUMBERS), st.integers(-10, 30), st.sampled_from((math.nan, math.inf, -math.inf)), st.floats()
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, nasty_text),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(nasty_text, inner, max_size=4)),
    max_leaves=8,
)


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that fit a JSON schema by their types, and are strange in all else."""
    options = schema.get("anyOf") or [{"type": each} for each in _types(schema)]
    if len(options) != 1:
        return st.one_of(*map(fitting, options)) if options else anything
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": nasty_text,
        "integer": st.one_of(st.integers(-10, 30), st.sampled_from([n for n in SURE_NUMBERS if isinstance(n, int)])),
        "number": numbers,
        "boolean": st.booleans(),
        "null": st.none(),
        "array": st.lists(fitting(schema.get("items", {})), max_size=5),
        "object": st.dictionaries(
            st.one_of(st.sampled_from(("fn", "email", "tel", "adr", "bday", "1", "2")), nasty_text),
            anything,
            max_size=5,
        ),
    }
    return kinds[options[0]["type"]]


def _types(schema: dict[str, Any]) -> list[str]:
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else kind


def arguments_for(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return arguments of a tool: mostly of the right types, some of wrong ones, some left out, some unknown."""
    required = set(schema.get("required", []))
    parts = {
        name: st.one_of(fitting(part), fitting(part), fitting(part), anything)
        for name, part in schema["properties"].items()
    }
    known = st.fixed_dictionaries(
        {name: part for name, part in parts.items() if name in required},
        optional={name: part for name, part in parts.items() if name not in required},
    )
    return st.one_of(known, known, known, st.dictionaries(nasty_text, anything, max_size=3))


@dataclass
class Attacker:
    """Somebody with an account of their own, every scope and a raw HTTP client."""

    server: LimitedServer
    chain: Chain
    person: Person
    http: httpx.Client
    _token: str = field(default="", repr=False)
    _since: float = 0.0

    @property
    def token(self) -> str:
        """A token that is valid for some more minutes."""
        if time.monotonic() - self._since > TOKEN_SECONDS:
            scope = f"{self.server.scope} {' '.join(OFFER.scopes())}"
            tokens = anyio.run(lambda: sign_in(self.chain.keycloak, **self.person, scope=scope))
            self._token, self._since = tokens["access_token"], time.monotonic()
        return self._token

    def post(self, body: bytes, headers: dict[str, Any] | None = None) -> httpx.Response:
        """Send a body, and hold the answer and the log against what may be there."""
        sent = HEADERS | {"Authorization": f"Bearer {self.token}", "Host": self.server.host} | (headers or {})
        start = self.server.log.stat().st_size
        response = self.http.post(self.server.url, content=body, headers=sent)
        self.assert_declared(response)
        self.assert_quiet(start)
        return response

    def request(self, method: str, params: Any, *, version: str = LEGACY, **envelope: Any) -> httpx.Response:
        """Send a JSON-RPC request in either era of the protocol."""
        headers = {"MCP-Protocol-Version": version}
        if version == MODERN and isinstance(params, dict):
            params = {**params, "_meta": meta()}
            headers["Mcp-Method"] = method
            name = params.get("name") or params.get("uri")
            if isinstance(name, str) and name.isascii() and name.isprintable() and name == name.strip():
                headers["Mcp-Name"] = name
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params} | envelope
        return self.post(json.dumps(message).encode(), headers)

    def assert_declared(self, response: httpx.Response) -> None:
        """Demand a status that this server declares, and in the body a result, an error of JSON-RPC, or nothing."""
        assert response.status_code in ANSWERS, (response.status_code, response.text[:300])
        for message in _messages(response):
            assert isinstance(message, dict)
            assert ("result" in message) != ("error" in message), message
            if "error" in message:
                assert isinstance(message["error"]["code"], int)
                assert message["error"]["message"]
            elif isinstance(message["result"], dict) and message["result"].get("isError"):
                assert message["result"]["content"][0]["text"]

    def assert_quiet(self, start: int) -> None:
        """Demand that nothing crashed since the log had this size, and that each line is short."""
        with self.server.log.open("rb") as log:
            log.seek(start)
            lines = log.read().splitlines()
        for line in lines:
            assert len(line) < MAX_LINE
            event = json.loads(line)
            assert "exception" not in event, event
            assert "crashed" not in event["event"], event
            assert "logger" not in event, event


def _messages(response: httpx.Response) -> list[Any]:
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        lines = (line for line in response.text.split("\n") if line.startswith("data: "))
        return [json.loads(line.removeprefix("data: ")) for line in lines]
    return [response.json()] if response.content and "json" in response.headers.get("content-type", "") else []


@contextmanager
def new_attacker(server: LimitedServer, chain: Chain) -> Iterator[Attacker]:
    """Give somebody new a note, an event, a contact, a file, a board with a card, and a recipe."""
    with somebody_new(chain.keycloak.admin()) as (_, who), httpx.Client(trust_env=False, timeout=120) as http:
        attacker = Attacker(server, chain, who, http)
        calls: list[tuple[str, dict[str, Any]]] = [
            ("nc_whoami", {}),
            ("nc_notes_create_note", {"title": "a", "content": "b", "category": ""}),
            ("nc_webdav_write_file", {"path": "a.txt", "content": "b"}),
            ("nc_calendar_create_event", {"calendar_name": "personal", "title": "a", "start_datetime": "2026-11-26"}),
            (
                "nc_calendar_create_event",
                {"calendar_name": "personal", "title": "the one to change", "start_datetime": "2026-11-26"},
            ),
            ("nc_calendar_create_todo", {"calendar_name": "personal", "summary": "a"}),
            ("nc_contacts_create_contact", {"addressbook": "contacts", "uid": "", "contact_data": {"fn": "a"}}),
            ("deck_create_board", {"title": "a", "color": "FF0000"}),
            ("nc_cookbook_create_recipe", {"name": "a"}),
        ]
        for tool, arguments in calls:
            attacker.request("tools/call", {"name": tool, "arguments": arguments})
        yield attacker


@pytest.fixture(scope="module")
def attacker(limited_exchange: LimitedServer, chain: Chain) -> Iterator[Attacker]:
    """Somebody whom the tests share, with all that they store."""
    with new_attacker(limited_exchange, chain) as attacker:
        yield attacker


@pytest.fixture
def attacker_by(tool: str, attacker: Attacker) -> Iterator[Attacker]:
    """The same, but for tools that read whole calendars: those read a new one, which nothing has filled."""
    if not tool.startswith("nc_calendar_") or "create" in tool:
        yield attacker
        return
    with new_attacker(attacker.server, attacker.chain) as another:
        yield another


SCHEMAS: Final = {tool.name: tool.parameters for app in APPS for tool in app.tools}


def test_every_tool_is_attacked() -> None:
    """The tests cover every tool."""
    assert SCHEMAS.keys() == TOOL_SCOPES.keys()


@pytest.mark.parametrize("tool", SCHEMAS)
def test_any_arguments_give_a_result_or_an_error_message(attacker: Attacker, tool: str) -> None:
    """Generated arguments of every kind for each tool give a result or an error message."""

    @few
    @given(arguments_for(SCHEMAS[tool]), st.sampled_from((LEGACY, MODERN)))
    def attack(arguments: dict[str, Any], version: str) -> None:
        attacker.request("tools/call", {"name": tool, "arguments": arguments}, version=version)

    attack()


USUAL: Final = {
    "calendar_name": "personal",
    "target_calendar": "personal",
    "start_datetime": "2026-11-26T10:00:00",
    "end_datetime": "2026-11-26T11:00:00",
    "start_date": "2026-11-26",
    "end_date": "2026-11-27",
    "date": "2026-11-26",
    "time": "10:00",
    "date_range_start": "2026-11-26",
    "date_range_end": "2026-11-27",
    "recurring": True,
    "recurrence_rule": "FREQ=DAILY;COUNT=2",
    "operation": "update",
    "action": "create",
    "addressbook": "contacts",
    "path": "a.txt",
    "title": "a",
    "title_contains": "the one to change",
    "new_title": "the one to change",
    "summary": "a",
    "name": "a",
    "display_name": "a",
    "content": "YQ==",
    "etag": "",
    "contact_data": {"fn": "a"},
}
"""What gets a call as far as to where one strange argument is used."""

WORST: Final = (
    "\ud800",
    "\0",
    "a@example.org\nb@example.org",
    "a\r\nX-A: b",
    "\x85\u2028",
    "a" * 50_000,
    "\u0394" * 9000,
)

CONTACT_FIELDS: Final = ("fn", "n", "nickname", "email", "tel", "adr", "org", "title", "role", "bday", "note", "url")


def usual_arguments(tool: str) -> dict[str, Any]:
    """Return arguments with which a tool has nothing to complain about."""
    schema = SCHEMAS[tool]
    return {
        name: USUAL.get(name, 1 if "integer" in json.dumps(part) else "a")
        for name, part in schema["properties"].items()
        if name in schema.get("required", ()) or name in USUAL
    }


def strange_arguments(tool: str) -> Iterator[dict[str, Any]]:
    """Give a tool usual arguments but for one, for each in turn; so with each field of a contact."""
    schema, usual = SCHEMAS[tool], usual_arguments(tool)
    for name, part in schema["properties"].items():
        if "string" in json.dumps(part):
            yield from (usual | {name: text} for text in WORST)
            if "array" in json.dumps(part):
                yield from (usual | {name: [text, text]} for text in WORST)
    if "contact_data" in schema["properties"]:
        for contact_field in CONTACT_FIELDS:
            for text in WORST:
                for value in (text, [text], [{"value": text, "type": text}], {text: text}):
                    yield usual | {"contact_data": {"fn": "a", contact_field: value}}


@pytest.mark.parametrize("tool", SCHEMAS)
def test_malicious_text_in_each_text_argument(attacker_by: Attacker, tool: str) -> None:
    """Each malicious text, in each text argument of each tool, gives a result or an error message."""
    for arguments in strange_arguments(tool):
        attacker_by.request("tools/call", {"name": tool, "arguments": arguments})


@pytest.mark.parametrize("tool", [name for name in SCHEMAS if name.startswith("nc_calendar_")])
def test_calendar_tools_on_malicious_stored_data(attacker: Attacker, tool: str) -> None:
    """Calendar tools with normal arguments work on the malicious texts that earlier tests stored."""
    attacker.request("tools/call", {"name": tool, "arguments": usual_arguments(tool)})


def test_arguments_that_are_not_an_object(attacker: Attacker) -> None:
    """Arguments of another type, or deeply nested, give a declared error."""
    for tool in ("nc_whoami", "nc_notes_get_note", "nc_contacts_create_contact"):
        odd: list[Any] = [None, [], 1, "a", True, nested(100), {"contact_data": nested(150)}, {"note_id": nested(300)}]
        for arguments in odd:
            attacker.request("tools/call", {"name": tool, "arguments": arguments})


def test_unknown_tool_names(attacker: Attacker) -> None:
    """Unknown tool names of any kind give a declared error."""

    @many
    @given(anything, st.sampled_from((LEGACY, MODERN)))
    def attack(name: object, version: str) -> None:
        attacker.request("tools/call", {"name": name, "arguments": {}}, version=version)

    attack()


def test_any_resource_uri_gives_a_result_or_an_error(attacker: Attacker) -> None:
    """Any values of URI template variables, and unknown URIs, give a result or a declared error."""
    templates = [uri.partition("{") for uri in RESOURCE_SCOPES]
    uris = st.one_of(
        st.builds(lambda parts, text: parts[0] + text, st.sampled_from(templates), nasty_text),
        st.builds(lambda parts, text: f"{parts[0]}{text}/stacks/{text}/cards", st.sampled_from(templates), nasty_text),
        st.builds(lambda parts, n: f"{parts[0]}{n}", st.sampled_from(templates), numbers),
        anything,
    )

    @many
    @given(uris, st.sampled_from((LEGACY, MODERN)))
    def attack(uri: object, version: str) -> None:
        attacker.request("resources/read", {"uri": uri}, version=version)

    attack()


def test_any_completion_request_gives_a_result_or_an_error(attacker: Attacker) -> None:
    """Any references, arguments and contexts give a result or a declared error."""
    references = st.one_of(
        st.fixed_dictionaries({"type": st.just("ref/resource"), "uri": st.sampled_from(list(RESOURCE_SCOPES))}),
        st.fixed_dictionaries({"type": st.just("ref/prompt"), "name": nasty_text}),
        anything,
    )
    variables = st.sampled_from(
        ("note_id", "path", "board_id", "stack_id", "card_id", "recipe_id", "attachment_filename")
    )
    params = st.fixed_dictionaries(
        {
            "ref": references,
            "argument": st.one_of(st.fixed_dictionaries({"name": variables, "value": nasty_text}), anything),
        },
        optional={
            "context": st.one_of(
                st.fixed_dictionaries({"arguments": st.dictionaries(variables, nasty_text, max_size=3)}), anything
            )
        },
    )

    @many
    @given(params)
    def attack(params: dict[str, Any]) -> None:
        attacker.request("completion/complete", params)

    attack()


def test_any_prompt_arguments_and_list_cursors(attacker: Attacker) -> None:
    """Any prompt arguments and list cursors give a result or a declared error."""
    names = st.one_of(st.sampled_from([prompt.function.__name__ for prompt in PROMPTS]), anything)
    arguments = st.one_of(
        st.dictionaries(
            st.sampled_from(("subject", "topic", "days", "date", "query", "folder")), nasty_text, max_size=4
        ),
        anything,
    )
    lists = st.sampled_from(("tools/list", "resources/list", "resources/templates/list", "prompts/list"))

    @many
    @given(names, arguments, lists, anything)
    def attack(name: object, arguments: object, listing: str, cursor: object) -> None:
        attacker.request("prompts/get", {"name": name, "arguments": arguments})
        attacker.request(listing, {"cursor": cursor})

    attack()


def test_any_json_rpc_message_gives_a_result_or_an_error(attacker: Attacker) -> None:
    """JSON-RPC messages with any ids, versions, methods and parameters give a result or a declared error."""
    methods = st.one_of(
        st.sampled_from(
            ("ping", "initialize", "tools/list", "tools/call", "notifications/cancelled", "logging/setLevel")
        ),
        anything,
    )
    messages = st.one_of(
        st.fixed_dictionaries(
            {},
            optional={
                "jsonrpc": st.one_of(st.just("2.0"), anything),
                "id": anything,
                "method": methods,
                "params": anything,
                "result": anything,
                "error": anything,
            },
        ),
        st.lists(anything, max_size=3),
        anything,
    )

    @many
    @given(messages, st.sampled_from((LEGACY, MODERN)))
    def attack(message: object, version: str) -> None:
        attacker.post(json.dumps(message).encode(), {"MCP-Protocol-Version": version})

    attack()


@pytest.mark.parametrize("version", [LEGACY, MODERN])
@pytest.mark.parametrize("method", ["ping", "tools/list", "tools/call", "resources/read"])
def test_any_request_id_is_answered(attacker: Attacker, method: str, version: str) -> None:
    """Any request id works with a valid token, and with one that lacks the tool's scope."""
    ids: tuple[Any, ...] = (
        "\ud800",
        "a\0b",
        "",
        "\n",
        "a" * 10_000,
        10**400,
        -1,
        2**64,
        1.5,
        True,
        None,
        [],
        {"a": 1},
        math.nan,
    )
    params = {"name": "nc_notes_get_note", "arguments": {"note_id": 1}, "uri": "nc://Notes/1"}
    for request_id in ids:
        attacker.request(method, params, version=version, id=request_id)


def test_refusal_is_sent_for_any_request_id(attacker: Attacker) -> None:
    """The server's own refusals echo the request id, so every id must be encodable."""
    tokens = anyio.run(
        lambda: sign_in(attacker.chain.keycloak, **attacker.person, scope=f"{attacker.server.scope} notes:read")
    )
    for request_id in ("\ud800", "\udfffa", "a\0\nb", 10**400, "a" * 10_000, None, [1]):
        message = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": {"name": "nc_share_list"}}
        response = attacker.post(json.dumps(message).encode(), {"Authorization": f"Bearer {tokens['access_token']}"})
        assert response.status_code in {400, 403}


def test_invalid_bodies_give_a_declared_response(attacker: Attacker) -> None:
    """Invalid or truncated JSON, invalid UTF-8, other encodings, deep nesting and duplicate keys crash nothing."""
    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nc_whoami","arguments":{}}}'
    bodies = (
        b"",
        b"\xff\xfe",
        b"\xef\xbb\xbf" + call,
        call.decode().encode("utf-16"),
        call[:-1],
        call + call,
        b"[" + call + b"]",
        b"[]",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping","method":"tools/call"}',
        call.replace(b"nc_whoami", b"nc_\xff"),
        call.replace(b"nc_whoami", b"nc_whoami\\u0000"),
        call.replace(b'"id":1', b'"id":' + b"9" * 5000),
        call.replace(b'"id":1', b'"id":1e400'),
        call.replace(b'"id":1', b'"id":NaN'),
        call.replace(b'"id":1', b'"id":-Infinity'),
        call.replace(b'"id":1', b'"\\ud800":1'),
        b"\0" * 1000,
        b"null",
        b'"\\ud800"',
    )
    for body in bodies:
        for version in (LEGACY, MODERN):
            attacker.post(body, {"MCP-Protocol-Version": version})


def test_any_header_bytes_give_a_result_or_an_error(attacker: Attacker) -> None:
    """Headers of MCP and HTTP with arbitrary bytes give a result or a declared error."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "nc_whoami"}}).encode()
    values = (
        b"",
        b"\xff\xfe",
        b"\x80" * 100,
        b"a" * 5000,
        b"=?utf-8?B?/w==?=",
        b"=?base64?////?=",
        b"%00",
        b"=?base64?7aCA?=",
    )
    names = (
        "Mcp-Name",
        "Mcp-Method",
        "MCP-Protocol-Version",
        "Mcp-Session-Id",
        "Mcp-Param-a",
        "X-Request-Id",
        "Last-Event-ID",
        "Accept",
        "Content-Type",
        "Origin",
        "traceparent",
    )
    for name in names:
        for value in values:
            for version in (LEGACY, MODERN):
                attacker.post(body, {"MCP-Protocol-Version": version, "Mcp-Method": "tools/call", name: value})
