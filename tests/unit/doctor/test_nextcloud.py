"""`doctor.nextcloud`: a Nextcloud that answers only `status.php`, for each component that can fail."""

from collections.abc import Callable
from typing import Final

import httpx
import pytest

from nextcloud_mcp.doctor import nextcloud
from nextcloud_mcp.doctor.deployment import Deployment, Options
from nextcloud_mcp.doctor.finding import Fault, Problem
from nextcloud_mcp.nextcloud.client import http_client
from nextcloud_mcp.nextcloud.refusals import TELL_ADMINISTRATOR
from nextcloud_mcp.settings import load_settings
from tests.support.http import patient_client
from tests.support.server import EXCHANGE

Reply = Callable[[httpx.Request], httpx.Response]


def raising(error: httpx.TransportError) -> Reply:
    """Answer with a failure of the network."""

    def reply(_: httpx.Request) -> httpx.Response:
        raise error

    return reply


async def problem_of(step: Callable[[Deployment], object], reply: Reply) -> Problem:
    """Take one step with a Nextcloud that answers so, and return its one problem."""
    async with (
        patient_client() as http,
        http_client("http://nc.test", transport=httpx.MockTransport(reply)) as cloud,
    ):
        deployment = Deployment(load_settings(EXCHANGE), Options(), http, cloud)
        with pytest.raises(Fault) as caught:
            await step(deployment)  # type: ignore[misc]
    (problem,) = caught.value.finding.problems
    return problem


BROKEN: Final[dict[str, tuple[Reply, str]]] = {
    "hangs": (raising(httpx.ReadTimeout("")), "does not answer (it takes too long)"),
    "resets": (raising(httpx.ReadError("")), "does not answer (the connection fails (ReadError))"),
    "hangs up": (
        raising(httpx.RemoteProtocolError("")),
        "does not answer (the connection fails (RemoteProtocolError))",
    ),
    "500": (lambda _: httpx.Response(500, text="Internal Server Error"), "gives HTTP 500"),
    "503": (lambda _: httpx.Response(503, html="<h1>Error"), "gives HTTP 503"),
    "nothing": (lambda _: httpx.Response(200), "gives HTTP 200, an empty answer"),
}


@pytest.mark.parametrize(("reply", "observed"), BROKEN.values(), ids=BROKEN.keys())
async def test_failure_with_working_status_names_components(reply: Reply, observed: str) -> None:
    """The cause says that only `status.php` works; the fix names the components to check."""
    problem = await problem_of(nextcloud.ocs, reply)
    assert problem.cause == (
        f"Nextcloud answers status.php, but nothing that needs a session: {nextcloud.CAPABILITIES} {observed}"
    )
    assert all(part in problem.fix for part in ("Redis", "database", "disk", "broken-nextcloud.md"))


@pytest.mark.parametrize(("reply", "observed"), BROKEN.values(), ids=BROKEN.keys())
async def test_failed_user_request_names_components(reply: Reply, observed: str) -> None:
    """With a token the same components are named, and the fix does not say to run the doctor."""
    assert observed
    problem = await problem_of(nextcloud.user, reply)
    assert problem.fix == nextcloud.LOOK
    assert TELL_ADMINISTRATOR not in problem.cause


async def test_failing_status_does_not_blame_address() -> None:
    """Without its database, Nextcloud's status.php fails too; the address is not blamed for it."""
    problem = await problem_of(nextcloud.status, lambda _: httpx.Response(500))
    assert problem.cause == "Nextcloud answers status.php with HTTP 500"
    assert problem.fix == nextcloud.LOOK


APP_FAULTS: Final = {
    "disabled": (404, "user_oidc is not enabled", "occ app:enable user_oidc"),
    "cannot start": (500, "user_oidc does not start", "replace the folder of user_oidc"),
}


@pytest.mark.parametrize(("status", "cause", "fix"), APP_FAULTS.values(), ids=APP_FAULTS.keys())
async def test_unusable_user_oidc_is_recognized_without_a_token(status: int, cause: str, fix: str) -> None:
    """The status of an endpoint of the app shows whether it is disabled or cannot start."""
    problem = await problem_of(nextcloud.user_oidc, lambda _: httpx.Response(status, html="<h2>Error"))
    assert cause in problem.cause
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("response", "observed"),
    [
        (httpx.Response(400, json={"error": "provider not found"}), "it answers"),
        (httpx.Response(403, html="<h2>blocked by a proxy"), "its address gives HTTP 403"),
    ],
    ids=["it runs", "hidden by a proxy"],
)
async def test_answering_user_oidc_is_no_fault(response: httpx.Response, observed: str) -> None:
    """The app refuses the request itself; a proxy that hides the address is no fault of the app."""
    async with (
        patient_client() as http,
        http_client("http://nc.test", transport=httpx.MockTransport(lambda _: response)) as cloud,
    ):
        finding = await nextcloud.user_oidc(Deployment(load_settings(EXCHANGE), Options(), http, cloud))
    assert (finding.observed, finding.problems) == (observed, ())
