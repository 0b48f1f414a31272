"""Logging: one event per line, as JSON, on standard error; no line is longer than `MAX_LINE` bytes.

Loggers of other libraries stay at WARNING at every level, because at DEBUG they log headers and bodies, with tokens and
the content of files. Their other messages, and the texts of exceptions, may quote a caller. So only the constant part
of a message, and the classes and code locations of an exception, are logged.
"""

import json
import logging
import sys
import traceback
import uuid
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Final

import stamina.instrumentation
import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_LINE: Final = 4000
"""Maximum bytes of a line, so that it is written at once: POSIX guarantees that up to PIPE_BUF (4,096 on Linux)."""

MAX_TEXT: Final = 400
"""Maximum characters of a value; the longest reason of this server has about 350."""

MAX_ITEMS: Final = 30
"""Maximum items of a list or object; a tool has up to 23 arguments."""

MAX_FRAMES: Final = 12
"""Maximum frames of an exception's traceback; the innermost stay."""

MAX_EXCEPTIONS: Final = 4
"""Maximum exceptions of a chain or group."""

_ESSENTIAL_FIELDS: Final = (
    "event",
    "level",
    "timestamp",
    "request_id",
    "code",
    "tool",
    "resource",
    "completion",
    "subject",
    "user",
)
"""The fields that stay if an event is too long."""

_LEFT_OUT: Final = "…"


def configure_logging(level: str) -> None:
    """Set up structlog and route the standard library's loggers through it."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, describe_exception, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_strip_message_values, *shared],
            pass_foreign_args=True,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, describe_exception, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    stamina.instrumentation.set_on_retry_hooks([])  # a call is one event, whatever its number of attempts


def describe_exception(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by classes and code locations, without its text and its variables."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else sys.exc_info()[1] if given is True else given
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(_described(error))
    return event


def _described(error: BaseException) -> Iterator[str]:
    """Yield the class of an exception and of its causes, the first cause last, each with its innermost frames."""
    for each in _chain(error)[:MAX_EXCEPTIONS]:
        yield f"{type(each).__module__}.{type(each).__qualname__}"
        for frame in traceback.extract_tb(each.__traceback__)[-MAX_FRAMES:]:
            yield f"  {_short(frame.filename)}:{frame.lineno} {frame.name}"


def _short(filename: str) -> str:
    """Return the end of a file's path: the module and its packages."""
    return "/".join(filename.split("/")[-3:])


def _chain(error: BaseException) -> list[BaseException]:
    """Return an exception, its members if it is a group, and its causes."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting and len(found) < MAX_EXCEPTIONS:
        each = waiting.pop(0)
        if each is None or each in found:
            continue
        found.append(each)
        waiting += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        waiting.append(each.__cause__ or (None if each.__suppress_context__ else each.__context__))
    return found


def _strip_message_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Log the first line of another library's message template, with only numbers filled in."""
    record: logging.LogRecord = event["_record"]
    template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    event["event"] = _format_numbers_only(template, event.pop("positional_args", ())).partition("\n")[0]
    event["logger"] = record.name
    return event


def _format_numbers_only(template: str, args: Any) -> str:
    values = args if isinstance(args, tuple) else ()
    try:
        return template % tuple(value if isinstance(value, int | float) else _LEFT_OUT for value in values)
    except (TypeError, ValueError):
        return template


def render(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    """Return an event as one line of JSON with at most `MAX_LINE` bytes; a cut value ends in an ellipsis."""
    bounded = {str(name): _truncate_value(name, value) for name, value in event.items()}
    line = json.dumps(bounded)
    if len(line) <= MAX_LINE:
        return line
    kept = {name: _cut(str(bounded[name]), MAX_TEXT // 4) for name in _ESSENTIAL_FIELDS if name in bounded}
    return json.dumps(
        {**kept, "left_out": sorted(_cut(name, 20) for name in event.keys() - set(_ESSENTIAL_FIELDS))[:MAX_ITEMS]}
    )


def _truncate_value(name: str, value: Any) -> Any:
    """Return a value of limited size: text is cut, and objects of other classes become the class name."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else _LEFT_OUT
    if isinstance(value, str):
        return _cut(value, MAX_LINE // 2 if name == "exception" else MAX_TEXT)
    if isinstance(value, Mapping):
        return {_cut(str(key), 40): _truncate_value("", each) for key, each in list(value.items())[:MAX_ITEMS]}
    if isinstance(value, list | tuple | set | frozenset):
        return [_truncate_value("", each) for each in list(value)[:MAX_ITEMS]]
    return type(value).__name__


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + _LEFT_OUT


class RequestId:
    """ASGI middleware: adds an id to all events of a request and to its response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request with a new id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        caller = Headers(scope=scope).get("x-request-id", "")[:64]
        with structlog.contextvars.bound_contextvars(
            request_id=request_id, **({"caller_id": caller} if caller else {})
        ):
            await self._app(scope, receive, send_with_id)
