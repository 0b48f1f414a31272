"""`boundary.visibility`: lists contain what the token allows and this Nextcloud's apps provide."""

from typing import Final

import pytest
from structlog.testing import capture_logs

from nextcloud_mcp.boundary import visibility
from tests.support.declared import RESOURCE_SCOPES, TOOL_SCOPES
from tests.support.issuer import TOKEN_PATH, Answer, answer
from tests.support.nextcloud import APPS, CAPABILITIES_PATH, NOTES, USER_PATH, ocs_capabilities
from tests.support.server import EVERYTHING, LEGACY, MODERN, Server, answered

LISTS: Final = {
    "tools/list": ("tools", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
}


async def listed(server: Server, *methods: str, subject: str = "f1c9-alice", version: str = LEGACY) -> set[str]:
    """Return what somebody with all scopes is shown, in all lists or in these."""
    token = server.keycloak.mint(scope=EVERYTHING, sub=subject)
    entries: set[str] = set()
    for method in methods or LISTS:
        name, key = LISTS[method]
        response = await server.request(method, token=token, version=version)
        entries |= {entry[key] for entry in answered(response)["result"][name]}
    return entries


def of_notes() -> set[str]:
    """Return the tools and resources of Notes."""
    return {name for name in TOOL_SCOPES.keys() | RESOURCE_SCOPES.keys() if "notes" in name.casefold()}


@pytest.mark.parametrize("version", [LEGACY, MODERN])
async def test_tools_of_missing_apps_are_hidden(server: Server, version: str) -> None:
    """All other tools are listed."""
    server.nextcloud.on("GET", CAPABILITIES_PATH, ocs_capabilities(*(app for app in APPS if app != "notes")))
    without = await listed(server, version=version)
    assert without == (TOOL_SCOPES.keys() | RESOURCE_SCOPES.keys()) - of_notes()


async def test_apps_are_fetched_once_per_user(server: Server) -> None:
    """Four lists of a client cost one exchange and one request for the apps; users are kept apart."""
    await listed(server)
    server.nextcloud.on("GET", CAPABILITIES_PATH, ocs_capabilities("core"))
    alice, bob = await listed(server), await listed(server, subject="bob")
    assert len(server.keycloak.exchanges()) == 2
    assert [request.url.path for request in server.nextcloud.requests] == [USER_PATH, CAPABILITIES_PATH] * 2
    assert alice == TOOL_SCOPES.keys() | RESOURCE_SCOPES.keys()
    assert bob == {"nc_whoami", "nc://capabilities"}


@pytest.mark.parametrize(
    ("keycloak", "nextcloud", "code"),
    [
        pytest.param(answer(500), None, "token_exchange.failed", id="no exchange"),
        pytest.param(
            answer(400, json={"error": "invalid_request", "error_description": "Invalid token"}),
            None,
            "token_exchange.subject_token_refused",
            id="signed out",
        ),
        pytest.param(None, answer(500), "nextcloud.unavailable", id="Nextcloud fails"),
        pytest.param(None, answer(content=b"<html>"), "nextcloud.unavailable", id="a login page"),
        pytest.param(None, ocs_capabilities("theming"), "nextcloud.token_not_accepted", id="taken for a stranger"),
    ],
)
async def test_unknown_apps_hide_no_tools(
    server: Server, keycloak: Answer | None, nextcloud: Answer | None, code: str
) -> None:
    """The list then depends on scopes only; one event is logged, and the next list fetches the apps again."""
    if keycloak is not None:
        server.keycloak.instead[TOKEN_PATH] = keycloak
    if nextcloud is not None:
        server.nextcloud.on("GET", CAPABILITIES_PATH, nextcloud, ocs_capabilities("core"))
    with capture_logs() as events:
        assert await listed(server, "tools/list") == TOOL_SCOPES.keys()
    (unknown,) = [event for event in events if event["event"] == "apps.unknown"]
    assert (unknown["code"], unknown["subject"]) == (code, "f1c9-alice")
    server.keycloak.up()
    if nextcloud is not None:
        assert await listed(server, "tools/list") == {"nc_whoami"}


async def test_list_has_a_short_timeout(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list does not wait for a Keycloak or Nextcloud that hangs."""
    monkeypatch.setattr(visibility, "APPS_TIMEOUT", 0.05)
    await listed(server)
    await server.request("ping", token=server.keycloak.mint())
    server.keycloak.gate = type(server.keycloak.gate)()
    with capture_logs() as events:
        assert await listed(server, "tools/list", subject="bob") == TOOL_SCOPES.keys()
    assert [event["code"] for event in events if event["event"] == "apps.unknown"] == ["nextcloud.unavailable"]


async def test_call_of_missing_app_says_so(server: Server) -> None:
    """The error says that the app is missing, and who can install it."""
    server.nextcloud.on("GET", f"{NOTES}/7", answer(404))
    server.nextcloud.on("GET", NOTES, answer(404))
    server.nextcloud.on("GET", CAPABILITIES_PATH, ocs_capabilities("core", "files"))
    with capture_logs() as events:
        sentence = await server.misuse("nc_notes_get_note", {"note_id": 7})
    assert sentence == "This Nextcloud does not have the app notes for you: its administrator can enable it."
    assert [event["code"] for event in events if event["event"] == "tool.failed"] == ["nextcloud.app_missing"]
    resource = answered(await server.read("nc://Notes/7"))
    assert resource["error"]["message"] == sentence


@pytest.mark.parametrize(
    "apps",
    [
        pytest.param([ocs_capabilities(*APPS)], id="the app is there"),
        pytest.param([ocs_capabilities("core"), ocs_capabilities(*APPS)], id="the app has come since"),
        pytest.param([ocs_capabilities("core"), answer(500)], id="nobody knows"),
    ],
)
async def test_missing_object_is_not_a_missing_app(server: Server, apps: list[Answer]) -> None:
    """If the app exists or can't be checked, the error is about the note."""
    server.nextcloud.on("GET", CAPABILITIES_PATH, *apps)
    server.nextcloud.on("GET", f"{NOTES}/7", answer(404))
    server.nextcloud.on("GET", NOTES, answer(404))
    await listed(server, "tools/list")
    assert (await server.misuse("nc_notes_get_note", {"note_id": 7})).startswith("Nextcloud did not find note 7")


async def test_apps_are_fetched_only_if_app_may_be_missing(server: Server) -> None:
    """Only errors that can mean a missing app cause the request."""
    server.nextcloud.on("GET", f"{NOTES}/7", answer(412))
    await server.misuse("nc_notes_get_note", {"note_id": 7})
    assert [request.url.path for request in server.nextcloud.requests] == [USER_PATH, f"{NOTES}/7"]
