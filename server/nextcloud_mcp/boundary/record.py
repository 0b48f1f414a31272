"""Log one event and count one metric for each use of a tool or resource, whatever its outcome."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio
import structlog

from nextcloud_mcp.boundary.call import Call
from nextcloud_mcp.errors import DefectError, NextcloudMCPError
from nextcloud_mcp.metrics import USES

log = structlog.get_logger()


@contextmanager
def recorded(call: Call, arguments: Mapping[str, Any]) -> Iterator[None]:
    """Log and count the outcome of the block; of the arguments, only the lengths are logged.

    Raises:
        NextcloudMCPError: the block raised it. Any other exception becomes a `DefectError`.
    """
    feature = call.admission.feature
    event = log.bind(**feature.label)
    started = time.perf_counter()
    outcome = DefectError.code
    try:
        yield
        outcome = "done"
    except NextcloudMCPError as error:
        outcome = error.code
        event.warning(
            feature.event("failed"), **error.log_fields, lengths=_lengths(arguments), **_caller_log_fields(call)
        )
        raise
    except anyio.get_cancelled_exc_class():  # the client has disconnected
        outcome = "cancelled"
        event.info(feature.event("cancelled"), ms=_milliseconds_since(started), **_caller_log_fields(call))
        raise
    except Exception as error:  # noqa: BLE001 - not re-raised: its text may contain any data
        event.error(feature.event("crashed"), exc_info=error, **_caller_log_fields(call))
        raise DefectError(feature.name) from None
    finally:
        USES.labels(*feature, outcome).inc()
    event.info(feature.event("done"), ms=_milliseconds_since(started), **_caller_log_fields(call))


def _caller_log_fields(call: Call) -> dict[str, Any]:
    """Return the caller's ids as log fields: Keycloak's, and Nextcloud's if it is cached."""
    user = call.services.accounts.user_id(call.admission.account)
    return call.admission.principal.log_fields | ({"user": user} if user is not None else {})


def _lengths(arguments: Mapping[str, Any]) -> dict[str, int]:
    """Return the length of each argument that has one: characters of text, items of a list, keys of an object."""
    return {name: len(value) for name, value in arguments.items() if isinstance(value, str | list | dict)}


def _milliseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
