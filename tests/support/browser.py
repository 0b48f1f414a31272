"""A scripted browser for Keycloak's real login and consent pages.

It follows redirects and submits the forms in the HTML with their hidden fields, as a real browser does. It manages
cookies itself: Keycloak marks them `Secure`, and browsers send such cookies to http://localhost, which is a secure
context, but Python's cookie jars do not.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urljoin, urlsplit

import httpx

from stack.sign_in import Form
from tests.support.http import patient_client

MAX_PAGES = 10


class BrowserError(AssertionError):
    """Keycloak showed an error or an unexpected page, which the message quotes."""


class Page(Form):
    """The visible content of one of Keycloak's pages: a form, the requested consents, errors, and texts by their id."""

    def __init__(self, html: str) -> None:
        self.consents: list[str] = []
        self.errors: list[str] = []
        self.title = ""
        self.texts: dict[str, str] = {}
        self._sinks: list[tuple[str, str]] = []
        super().__init__(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect forms and fields, and note the kind of the text that follows."""
        super().handle_starttag(tag, attrs)
        attributes = {name: value or "" for name, value in attrs}
        self._sinks += [(tag, sink) for sink in _sinks(tag, attributes)]

    def handle_endtag(self, tag: str) -> None:
        """End the text that this tag began."""
        if self._sinks and self._sinks[-1][0] == tag:
            self._sinks.pop()

    def handle_data(self, data: str) -> None:
        """Collect a text of a known kind."""
        text = " ".join(data.split())
        if not text or not self._sinks:
            return
        match self._sinks[-1][1]:
            case "consent":
                self.consents.append(text)
            case "error":
                self.errors.append(text)
            case "title":
                self.title = text
            case named:
                self.texts[named] = text


def _sinks(tag: str, attributes: dict[str, str]) -> Iterator[str]:
    classes = attributes.get("class", "").split()
    if tag == "li":
        yield "consent"
    elif "kc-feedback-text" in classes or "instruction" in classes:
        yield "error"
    elif attributes.get("id") == "kc-page-title":
        yield "title"
    elif attributes.get("id") in {"client-name", "returns-to", "signed-in-as"}:
        yield attributes["id"]


@dataclass
class Browser:
    """One user's browser; it keeps its cookies, so the user stays signed in for the next authorization.

    Attributes:
        grant: whether the user accepts consent pages.
        consents: the texts of each consent page that was shown, in order.
    """

    grant: bool = True
    consents: list[list[str]] = field(default_factory=list)
    _cookies: dict[str, str] = field(default_factory=dict)

    async def authorize(self, authorization_url: str, *, username: str, password: str) -> str:
        """Sign in, answer the consent page, and stop at the redirect back to the client.

        Args:
            authorization_url: the client's whole authorization request (RFC 6749 section 4.1.1).
            username: the user name for the login form.
            password: the password for the login form.

        Returns:
            The redirect URL with `code` and `state`, or `error`; the browser does not request it.

        Raises:
            BrowserError: Keycloak shows an error, such as a wrong password, or an unknown kind of page.
        """
        keycloak = _origin(authorization_url)
        async with patient_client() as http:
            response = await self._send(http, "GET", authorization_url)
            for _ in range(MAX_PAGES):
                if response.has_redirect_location:
                    target = urljoin(str(response.url), response.headers["location"])
                    if _origin(target) != keycloak:
                        return target
                    response = await self._send(http, "GET", target)
                else:
                    action, data = self._fill_in(response, username, password)
                    response = await self._send(http, "POST", action, data)
        raise BrowserError(f"Keycloak showed {MAX_PAGES} pages without an end, the last at {response.url}")

    def _fill_in(self, response: httpx.Response, username: str, password: str) -> tuple[str, dict[str, str]]:
        page = Page(response.text)
        if page.errors or page.action is None:
            raise BrowserError("; ".join(page.errors) or f"{response.status_code} {page.title or response.text}")
        action = urljoin(str(response.url), page.action)
        if "accept" in page.fields:
            self.consents.append(page.consents)
            answer = "accept" if self.grant else "cancel"
            return action, {"code": page.fields["code"], answer: ""}
        if "password" in page.fields:
            return action, page.fields | {"username": username, "password": password}
        raise BrowserError(f"neither a login nor a consent page: {page.title}")

    async def _send(
        self, http: httpx.AsyncClient, method: str, url: str, data: dict[str, str] | None = None
    ) -> httpx.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        http.cookies.clear()
        response = await http.request(method, url, data=data, headers={"cookie": cookie} if cookie else {})
        for header in response.headers.get_list("set-cookie"):
            self._store(SimpleCookie(header))
        return response

    def _store(self, cookies: SimpleCookie) -> None:
        for name, morsel in cookies.items():
            if morsel["max-age"] == "0":
                self._cookies.pop(name, None)
            else:
                self._cookies[name] = morsel.coded_value


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
