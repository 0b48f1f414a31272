"""Parallel first calls of a user whose Nextcloud account does not exist yet."""

from typing import Any, Final

import anyio

from stack.chain import Chain
from tests.e2e.servers import EVERYTHING, Server
from tests.support.administration import somebody_new
from tests.support.http import patient_client
from tests.support.mcp_http import result, tool_request
from tests.support.oauth import sign_in

OF_EVERY_API: Final[list[tuple[str, dict[str, Any]]]] = [
    ("nc_whoami", {}),
    ("nc_webdav_list_directory", {"path": ""}),
    ("nc_webdav_find_by_name", {"pattern": "Readme%"}),
    ("nc_share_list", {}),
    ("nc_notes_search_notes", {"query": "x"}),
    ("nc_calendar_list_calendars", {}),
    ("nc_contacts_list_addressbooks", {}),
    ("deck_get_boards", {}),
    ("nc_tables_list_tables", {}),
    ("nc_cookbook_list_recipes", {}),
]


async def test_parallel_first_calls_succeed_and_create_the_account(
    chain: Chain, exchange: Server, pass_through: Server
) -> None:
    """Nextcloud creates the account and every first call succeeds, whatever the tool and whichever server is called."""
    with somebody_new(chain.keycloak.admin()) as (_, person):
        tokens = {
            server.url: (await sign_in(chain.keycloak, **person, scope=f"{server.scope} {EVERYTHING}"))["access_token"]
            for server in (exchange, pass_through)
        }
        answers: dict[tuple[str, str], dict[str, Any]] = {}
        async with patient_client() as http, anyio.create_task_group() as group:
            for tool, arguments in OF_EVERY_API:
                for url, token in tokens.items():

                    async def call(
                        url: str = url, token: str = token, tool: str = tool, arguments: dict[str, Any] = arguments
                    ) -> None:
                        answers[tool, url] = result(await http.post(url, **tool_request(tool, arguments, token=token)))

                    group.start_soon(call)
    failed = {tool: answer["content"] for (tool, _), answer in answers.items() if answer.get("isError")}
    assert not failed
    assert len(answers) == 2 * len(OF_EVERY_API)
