"""Writes the reference pages that follow from the code: `make docs`. A test holds them against it."""

from collections.abc import Iterator
from pathlib import Path

from mcp_types import ToolAnnotations

from nextcloud_mcp import errors
from nextcloud_mcp.apps.calendar.tools.names import DECK_CALENDAR
from nextcloud_mcp.boundary.results import ERROR_KEY
from nextcloud_mcp.catalogue import APPS
from nextcloud_mcp.doctor.report import JSON_VERSION
from nextcloud_mcp.doctor.walk import STEPS
from nextcloud_mcp.metrics import ENDED_CONNECTIONS, RESPONSES, UPSTREAM_SECONDS, USES
from nextcloud_mcp.settings import Settings

REFERENCE = Path(__file__).parent / "reference"
DOCTOR_JSON = f"""

A step whose needs are not met is skipped. Exit status: 0 if no step failed, 1 if one did, 2 for a wrong command line.

## JSON

`--json` prints one object. Members may be added; one that goes or changes its meaning raises `version`.

| member | |
| --- | --- |
| `version` | {JSON_VERSION} |
| `healthy` | whether no step failed |
| `counts` | how many steps ended `ok`, `skipped`, `warning`, `failed` |
| `steps` | each step, in the order of the table: |
| `steps[].code`, `.title` | which it is |
| `steps[].outcome` | `ok`, `skipped`, `warning` (calls work all the same) or `failed` |
| `steps[].observed` | what was seen, for people; of a skipped step, why it was not checked |
| `steps[].problems[]` | `outcome` (`warning` or `failed`), `cause`, and `fix`: a command, a setting, a place |

No token, secret or password is ever in it.
"""
METRICS_ALERTS = """

Worth an alert:

```
# exchanges fail: Keycloak is away, or refuses this server
sum(rate(nextcloud_mcp_uses_total{outcome=~"token_exchange.*"}[5m])) > 0.1
# Nextcloud does not take the tokens: its user_oidc has lost the realm's keys, or its trust
sum(rate(nextcloud_mcp_uses_total{outcome="nextcloud.token_not_accepted"}[5m])) > 0
# a defect; the log has its traceback
increase(nextcloud_mcp_uses_total{outcome="crashed"}[1h]) > 0
# slow, as people feel it
histogram_quantile(0.95, sum by (upstream, le) (rate(nextcloud_mcp_upstream_seconds_bucket[5m]))) > 2
```
"""
NOTE = "<!-- written by docs/generate.py; change the code, then run `make docs` -->\n\n"


def settings_page() -> str:
    """Return the table of the server's settings."""
    rows = [
        "# Settings",
        "",
        "Environment variables of `nextcloud-mcp serve`. A wrong or missing one stops the start with one line that",
        "names it; an empty one counts as absent.",
        "",
        "| variable | default | |",
        "| --- | --- | --- |",
    ]
    for field in Settings.model_fields.values():
        default = "required" if field.is_required() else "" if field.default_factory else _shown(field.default)
        rows.append(f"| `{field.alias}` | {default} | {_one_line(field.description or '')} |")
    return "\n".join(rows) + "\n"


def tools_page() -> str:
    """Return the tables of all tools and resources, with their scopes and apps."""
    rows = [
        "# Tools and resources",
        "",
        "A client is shown those whose scopes its token holds and whose app this Nextcloud announces to its person.",
        "A tool is *read-only*, or it *adds*, or may *replace* what was there; *again*: doing it twice does no more.",
        "",
        "Two arguments need one more scope. `permissions` of a share needs `files:write` unless it is 1, for reading.",
        f"A calendar with `{DECK_CALENDAR}` in its name is a board of Deck and needs `deck:read`, or `deck:write`",
        "where the tool writes.",
        "",
        "Text stays text, whatever it looks like. Other arguments may be written as text too: a number, a list or an",
        "object in JSON. `null`, and an empty text where it can mean nothing else, is the default. All that is wrong,",
        "missing or unknown is told at once. Calendars, address books, boards, stacks, cards, labels, tables and",
        "recipes go by their id, or by the name that people see, where one alone has it. A path may be an address of",
        "this Nextcloud: that of the web page of files, an internal link (`/f/123`), or that for WebDAV.",
        "",
        "| tool | app | scopes | | |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| `{tool.name}` | `{app.key}` | {_scopes(tool.requirement.scopes)} | {_effect(tool.annotations)} | "
        f"{_one_line(tool.description)} |"
        for app in APPS
        for tool in app.tools
    ]
    rows += ["", "| resource | app | scopes | |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{each.uri}` | `{app.key}` | {_scopes(each.requirement.scopes)} | {_one_line(each.function.__doc__)} |"
        for app in APPS
        for each in app.resources
    ]
    return "\n".join(rows) + "\n"


def _scopes(scopes: frozenset[str]) -> str:
    return ", ".join(f"`{scope}`" for scope in sorted(scopes)) or "none"


def _effect(hints: ToolAnnotations) -> str:
    """Return what a tool's annotations say of it."""
    if hints.read_only_hint:
        return "read-only"
    return ("replaces" if hints.destructive_hint else "adds") + (", again" if hints.idempotent_hint else "")


def errors_page() -> str:
    """Return the table of error codes, as the log has them."""
    rows = [
        "# Errors",
        "",
        "The caller gets one sentence with the cause and the next step. [The log](log.md) gets one event.",
        "",
        "For programs, the result of a tool that failed has the parts of the error in `_meta`, under",
        f"`{ERROR_KEY}`; the error of a resource has them in `data`, under `error`:",
        "",
        "| part | |",
        "| --- | --- |",
        "| `code` | A code from the table below. |",
        "| `cause`, `remedy` | What failed, and what to do; the sentence is `cause: remedy.` |",
        "| `argument` | The name of the argument that is wrong, if it is one. |",
        "| `resource` | What it is about, such as `note 7`. |",
        "| `method`, `status` | Of the request to Nextcloud that failed. |",
        "| `retry_after` | Seconds after which another try may succeed. |",
        "| `errors` | The parts of each, if several arguments are wrong. |",
        "",
        "Why not in `structuredContent`: [decision 14](../decisions/0014-errors-have-parts.md).",
        "",
        "| code | |",
        "| --- | --- |",
    ]
    rows += [f"| `{error.code}` | {_one_line(error.__doc__ or '')} |" for error in _errors(errors.NextcloudMCPError)]
    return "\n".join(rows) + "\n"


def doctor_page() -> str:
    """Return the table of the doctor's steps, and the shape of its JSON."""
    rows = [
        "# The doctor's steps",
        "",
        "`nextcloud-mcp doctor` takes them in this order; [find faults](../how-to/find-faults.md) says how to use it.",
        "",
        "| code | demands | needs |",
        "| --- | --- | --- |",
    ]
    for step in STEPS:
        needs = ", ".join(f"`{code}`" for code in step.needs)
        rows.append(f"| `{step.code}` | {_one_line(step.requirement)} | {needs} |")
    return "\n".join(rows) + DOCTOR_JSON


def metrics_page() -> str:
    """Return the table of what is published for Prometheus."""
    rows = [
        "# Metrics",
        "",
        "With `MCP_METRICS_PORT`, in Prometheus' text format at `/metrics` of that port, which wants no token: keep it",
        "where only Prometheus reaches it. No label names a person or a client. Besides these, `process_*` has memory,",
        "CPU and open files.",
        "",
        "| metric | type | |",
        "| --- | --- | --- |",
    ]
    for metric in (RESPONSES, USES, UPSTREAM_SECONDS, ENDED_CONNECTIONS):
        (family,) = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        rows.append(f"| `{name}` | {family.type} | {_one_line(family.documentation)} |")
    return "\n".join(rows) + METRICS_ALERTS


def _shown(default: object) -> str:
    """Return a default as one would write it in the environment; nothing for one that is derived or absent."""
    if default in (None, "", ()):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _errors(base: type[errors.NextcloudMCPError]) -> Iterator[type[errors.NextcloudMCPError]]:
    for error in base.__subclasses__():
        yield error
        yield from _errors(error)


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {
    "settings.md": settings_page,
    "tools.md": tools_page,
    "errors.md": errors_page,
    "doctor.md": doctor_page,
    "metrics.md": metrics_page,
}


def main() -> None:
    """Write all pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(NOTE + page(), encoding="utf-8")


if __name__ == "__main__":
    main()
