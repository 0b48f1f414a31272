"""Fills templates with texts in the reader's language; every value is escaped (Jinja2's autoescape)."""

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from nextcloud_mcp.pages import responses
from nextcloud_mcp.pages.negotiation import LANGUAGES, language_of

COMMON: Final = "common"
"""The name of the texts that all pages have."""


def messages(name: str, language: str) -> dict[str, Any]:
    """Return the texts of one page from its message file."""
    file = files("nextcloud_mcp.pages").joinpath("messages", language, f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def coded(text: str) -> Markup:
    """Escape a text, and mark what stands between backticks as code, and between asterisks as emphasized."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(re.sub(r"\*([^*]+)\*", r"<em>\1</em>", marked))  # noqa: S704 - the text is escaped


class _Environment(Environment):
    """Lets `t.copy` be the text of that name, not the method of a dictionary."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute) if isinstance(obj, dict) else super().getattr(obj, attribute)


class Renderer:
    """Renders pages; all templates have the values that `shared` contains."""

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._environment = _Environment(
            loader=PackageLoader("nextcloud_mcp.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(shared, languages=LANGUAGES)
        self._environment.filters["coded"] = coded
        self._messages: dict[tuple[str, str], dict[str, Any]] = {}

    def texts(self, name: str, language: str) -> dict[str, Any]:
        """Return the texts of a page, with those of all pages."""
        key = (name, language)
        if key not in self._messages:
            self._messages[key] = messages(COMMON, language) | messages(name, language)
        return self._messages[key]

    def respond(
        self,
        name: str,
        request: Request,
        *,
        policy: Mapping[str, str] | None = None,
        is_personal: bool = False,
        **values: Any,
    ) -> Response:
        """Return the page `name` in the reader's language.

        Args:
            name: the template and the message file.
            request: only its language is used, so nothing of it can get into the page.
            policy: see `responses.page`.
            is_personal: see `responses.page`.
            values: what the template shows.
        """
        language = language_of(request.scope)
        template = self._environment.get_template(f"{name}.html")
        html = template.render(t=self.texts(name, language), language=language, **values)
        return responses.page(html, language, policy=policy, is_personal=is_personal)
