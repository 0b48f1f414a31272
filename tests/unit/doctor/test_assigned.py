"""`doctor.assigned`: the lists that a realm's file leaves out; tests/doctor/test_mends.py has those that it states."""

from typing import Any

import pytest

from nextcloud_mcp.doctor import assigned
from nextcloud_mcp.doctor.deployment import Deployment, Options
from nextcloud_mcp.settings import load_settings
from tests.support.http import patient_client
from tests.support.server import EXCHANGE

LIVE = {"defaultClientScopes": ["basic"], "optionalClientScopes": ["notes:read"]}


@pytest.mark.parametrize(
    ("wanted", "causes"),
    [
        pytest.param({}, [], id="neither is stated"),
        pytest.param({"defaultClientScopes": ["basic"]}, [], id="the other says more"),
        pytest.param(
            {"optionalClientScopes": ["notes:read", "basic"]},
            ["The client c has the scope basic as default in place of optional"],
            id="the other has one that is wanted here",
        ),
        pytest.param({"defaultClientScopes": []}, ["The client c has the default scope basic besides"], id="empty"),
    ],
)
async def test_what_is_left_out_may_say_anything(wanted: dict[str, Any], causes: list[str]) -> None:
    """A list that the file does not have is Keycloak's or the operator's; but no scope is assigned in both ways."""
    async with patient_client() as http:
        deployment = Deployment(load_settings(EXCHANGE), Options(), http, http)
        deployment.live = {"clientScopes": [{"name": "basic", "id": "1"}, {"name": "notes:read", "id": "2"}]}
        holder = assigned.ScopeOwner("The client c", "clients/3/", assigned.CLIENT)
        found = list(assigned.problems(deployment, holder, wanted, LIVE))
    assert [problem.cause for problem in found] == causes
