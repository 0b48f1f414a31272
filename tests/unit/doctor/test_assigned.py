"""`doctor.assigned`: scope lists that a realm file omits; tests/doctor/test_fixes.py tests lists that it has."""

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
async def test_omitted_scope_list_may_have_any_content(wanted: dict[str, Any], causes: list[str]) -> None:
    """A list that the file omits is managed elsewhere; but no scope is both default and optional."""
    async with patient_client() as http:
        deployment = Deployment(load_settings(EXCHANGE), Options(), http, http)
        deployment.live = {"clientScopes": [{"name": "basic", "id": "1"}, {"name": "notes:read", "id": "2"}]}
        holder = assigned.ScopeOwner("The client c", "clients/3/", assigned.CLIENT)
        found = list(assigned.problems(deployment, holder, wanted, LIVE))
    assert [problem.cause for problem in found] == causes
