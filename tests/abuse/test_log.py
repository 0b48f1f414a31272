"""The arguments of callers are not in the log, and cannot fill it."""

import json
from collections.abc import Callable
from typing import Final

from stack.chain import Chain
from tests.abuse.limited_server import LimitedServer
from tests.support.http import patient_client
from tests.support.mcp_http import HEADERS, tool_request
from tests.support.oauth import sign_in
from tests.support.run import PEOPLE

MAX_LINE: Final = 4096
TELLING: Final = ("+49 151 23456789", "patient@example.org", "/Private/Diagnosis.pdf")


async def test_log_has_no_argument_values(limited_exchange: LimitedServer, chain: Chain) -> None:
    """For 3.6 MB of addresses, paths and telephone numbers in arguments, the log has only names and lengths."""
    scope = f"{limited_exchange.scope} files:read files:write notes:write contacts:write sharing:write cookbook:write"
    tokens = await sign_in(chain.keycloak, **PEOPLE["alice"], scope=scope)
    start = limited_exchange.log.stat().st_size
    large = "\u0394" * 600_000  # JSON in ASCII has six bytes for each
    arguments_of: dict[str, Callable[[str], dict[str, object]]] = {
        "nc_notes_update_note": lambda text: {"note_id": text, "etag": text},
        "nc_webdav_list_directory": lambda text: {"path": text},
        "nc_webdav_create_directory": lambda text: {"path": f"../{text}"},
        "nc_share_create": lambda text: {"path": text, "share_with": text},
        "nc_cookbook_import_recipe": lambda text: {"url": text},
        "nc_contacts_create_contact": lambda text: {"addressbook": text, "uid": text, "contact_data": {text: text}},
    }
    calls = [(tool, make(text)) for tool, make in arguments_of.items() for text in (*TELLING, large)]
    async with patient_client() as http:
        for tool, arguments in calls:
            request = tool_request(tool, arguments, token=tokens["access_token"], Host=limited_exchange.host)
            response = await http.post(limited_exchange.url, **request)
            assert response.status_code in {200, 413}, (tool, response.status_code)
        strange = HEADERS | {"Host": limited_exchange.host, "X-Request-Id": "r" * 10_000, "Mcp-Name": TELLING[1]}
        await http.post(limited_exchange.url, json={"method": TELLING[0]}, headers=strange)

    with limited_exchange.log.open("rb") as log:
        log.seek(start)
        lines = log.read().splitlines()
    events = [json.loads(line) for line in lines]
    assert len([event for event in events if event["event"] == "tool.failed"]) >= len(calls) // 2
    assert max(map(len, lines)) < MAX_LINE
    assert not [event for event in events for text in TELLING if text in json.dumps(event, ensure_ascii=False)]
