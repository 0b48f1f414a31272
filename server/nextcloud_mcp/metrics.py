"""Metrics for operators, in Prometheus' text format, on a port of their own.

No label names a user, a client or their data; only the log does.
"""

from collections.abc import Iterable
from itertools import product
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextcloud_mcp.errors import TokenExchangeError, TokenNotAcceptedError

disable_created_metrics()  # type: ignore[no-untyped-call] # else each series has a second one with its creation time
REGISTRY: Final = CollectorRegistry()

RESPONSES: Final = Counter(
    "nextcloud_mcp_responses",
    "Answers of the MCP endpoint, by HTTP `status`: 401 and 403 are refusals, 429 "
    "that one person calls too often, 503 that Keycloak can't be asked or memory is short.",
    ["status"],
    registry=REGISTRY,
)
USES: Final = Counter(
    "nextcloud_mcp_uses",
    "What was admitted, by `kind` (tool, resource, completion), `name` and `outcome`: `done`, `cancelled` by the "
    "client, `crashed` by a defect, or the code of the error.",
    ["kind", "name", "outcome"],
    registry=REGISTRY,
)
UPSTREAM_SECONDS: Final = Histogram(
    "nextcloud_mcp_upstream_seconds",
    "Seconds until an answer or a failure of the `upstream`: `keycloak` for an exchange, `nextcloud` for any request "
    "of a call.",
    ["upstream"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
ENDED_CONNECTIONS: Final = Counter(
    "nextcloud_mcp_ended_connections",
    "Connections that the server ended, by `cause`: `header`, `body` or `answer` took too long, the request was "
    "`invalid`, or others needed the place (`crowded`).",
    ["cause"],
    registry=REGISTRY,
)
ProcessCollector(registry=REGISTRY)  # memory, CPU and open files


WORTH_AN_ALERT: Final = ("crashed", TokenExchangeError.code, TokenNotAcceptedError.code)


def preregister_series(features: Iterable[tuple[str, str]]) -> None:
    """Create the series that are worth an alert at the start, because a series that begins with 1 has not increased.

    Args:
        features: kind and name of each feature.
    """
    for (kind, name), outcome in product(features, WORTH_AN_ALERT):
        USES.labels(kind, name, outcome)


class CountResponses:
    """ASGI middleware: counts the responses of the application that it wraps."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count its response when it starts."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                RESPONSES.labels(message["status"]).inc()
            await send(message)

        await self._app(scope, receive, counted)


async def metrics_app(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI application: return the metrics at every path."""
    await Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)(scope, receive, send)
