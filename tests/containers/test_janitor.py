"""The service `client-janitor` of `compose.yaml`: it runs, and deletes what nobody uses, within its limits."""

import json
from dataclasses import replace
from typing import Any, Final

from stack.chain import Chain
from tests.containers.compose import inspect
from tests.support.composed import Project
from tests.support.eventually import eventually
from tests.support.http import patient_client

JANITOR: Final = "client-janitor"
COUNT: Final = 30


def clients(running: Project, action: str, *options: str) -> dict[str, Any]:
    """Run `nextcloud-mcp clients` in the service's container, and return its report."""
    command = ("exec", "-T", JANITOR, "nextcloud-mcp", "clients", action, "--json", *options)
    report: dict[str, Any] = json.loads(running.run(*command))
    return report


async def register(chain: Chain) -> set[str]:
    """Register clients as strangers do, and return their ids."""
    url = f"{chain.keycloak.issuer}/clients-registrations/openid-connect"
    body = {"client_name": "Nobody", "redirect_uris": ["http://localhost/callback"]}
    async with patient_client() as http:
        answers = [(await http.post(url, json=body)).raise_for_status() for _ in range(COUNT)]
    return {answer.json()["client_id"] for answer in answers}


def test_janitor_runs_within_its_limits(running: Project) -> None:
    """Its container is healthy, was not restarted, and neither its memory nor its processes ran out."""
    container = inspect("container", running.run("ps", "--quiet", JANITOR).strip())
    assert container["State"]["Health"]["Status"] == "healthy"
    assert (container["RestartCount"], container["State"]["OOMKilled"]) == (0, False)
    assert container["HostConfig"]["Memory"] == 256 << 20
    assert container["HostConfig"]["ReadonlyRootfs"]


async def test_janitor_lists_and_deletes_registered_clients(running: Project, chain: Chain) -> None:
    """With the service's own secret, in its container: the list has the new clients, and pruning deletes them."""
    registered = await register(chain)
    listed = {client["client_id"]: client for client in clients(running, "list")["clients"]}
    assert registered <= listed.keys()
    assert not any(listed[client_id]["delete"] or listed[client_id]["used"] for client_id in registered)

    async def gone() -> bool:
        clients(running, "prune", "--delete", "--never-used-for", "1")
        return registered.isdisjoint(client["client_id"] for client in clients(running, "list")["clients"])

    assert await eventually(gone)


def test_deployment_starts_without_the_janitor(running: Project) -> None:
    """With `CLIENT_JANITORS=0`, as for a realm without its client, `up --wait` ends well and the service is gone."""
    without = replace(running, environment={**running.environment, "CLIENT_JANITORS": "0"})
    try:
        without.run("up", "--detach", "--wait")
        services = without.run("ps", "--services").split()
    finally:
        running.run("up", "--detach", "--wait")
    assert JANITOR not in services
    assert "mcp-exchange" in services
    assert JANITOR in running.run("ps", "--services").split()
