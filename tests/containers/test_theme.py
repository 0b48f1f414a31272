"""The theme that `compose.yaml` mounts into Keycloak: people see its pages, in their language."""

import pytest

from stack.chain import Chain
from tests.containers.compose import inspect
from tests.support.composed import Project
from tests.support.http import patient_client
from tests.support.oauth import ALICE
from tests.support.pages import ALL_SCOPES, LINES, Reader, authorize_in, foreign_addresses


@pytest.mark.parametrize("language", LINES)
async def test_consent_page_is_the_theme_s(running: Project, chain: Chain, language: str) -> None:
    """The page has the theme's lines, one an app, and its styles and logo, which are all Keycloak's own."""
    assert running.name
    browser = Reader(language=language)
    answer = await authorize_in(
        chain.keycloak, browser, ALICE, scope=f"nextcloud-mcp:exchange {ALL_SCOPES}", prompt="login consent"
    )

    assert "code" in answer
    assert browser.consents == [LINES[language]]
    assert foreign_addresses(chain.keycloak, browser.pages) == set()


async def test_logo_is_the_shipped_one(running: Project, chain: Chain) -> None:
    """Without `ORGANISATION_LOGO`, the page shows the logo of the theme's folder."""
    assert running.name
    browser = Reader()
    await authorize_in(chain.keycloak, browser, ALICE, prompt="login consent")
    (logo,) = {part for page in browser.pages for part in page.split('"') if part.endswith("/img/logo.svg")}
    async with patient_client() as http:
        answer = await http.get(f"{chain.keycloak.url}{logo}")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")


def test_container_cannot_change_the_theme(running: Project) -> None:
    """The theme's folder is mounted read-only."""
    container = inspect("container", running.run("ps", "--quiet", "keycloak").strip())
    (mount,) = [each for each in container["Mounts"] if each["Destination"].endswith("/themes/nextcloud-mcp")]
    assert mount["RW"] is False
