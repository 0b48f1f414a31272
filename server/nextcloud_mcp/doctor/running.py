"""Whether the running server can reach Keycloak and Nextcloud; it may run on another network than the doctor."""

from typing import Final
from urllib.parse import urlsplit

from nextcloud_mcp.doctor.deployment import Deployment, ask
from nextcloud_mcp.doctor.finding import Finding, Problem, Skip
from nextcloud_mcp.doctor.report import Step


async def ready(deployment: Deployment) -> Finding:
    """Fetch the running server's `/health/ready`."""
    parts = urlsplit(deployment.settings.server_url)
    url = f"{parts.scheme}://{parts.netloc}/health/ready"
    response = await ask(deployment.http, "GET", url, fix="start the server: nextcloud-mcp serve")
    try:
        checks = dict(response.json()["checks"])
    except (ValueError, KeyError, TypeError):
        raise Skip(f"{url} is not exposed by the proxy") from None
    problems = [_not_ready(deployment, name, state) for name, state in sorted(checks.items()) if state != "ok"]
    return Finding(", ".join(f"{name}: {state}" for name, state in sorted(checks.items())), tuple(problems))


def _not_ready(deployment: Deployment, name: str, state: str) -> Problem:
    setting, url = {
        "issuer": ("OIDC_DISCOVERY_URL", deployment.settings.discovery_url),
        "nextcloud": ("NEXTCLOUD_HOST", deployment.settings.nextcloud_url),
    }.get(name, ("its settings", ""))
    return Problem(
        f"The running server says of {name}: {state}",
        f"see {setting} of the running server, and that {url} answers where it runs",
    )


STEPS: Final = (
    Step(
        "running.ready",
        "readiness",
        "The running server reaches Keycloak and Nextcloud, as the doctor does.",
        ready,
        ("server.challenge", "issuer.keys", "nextcloud.status"),
    ),
)
