"""The documentation site: it builds without warnings, its search finds pages, and it needs no other host."""

import re
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest

from docs import site
from tests.support import chromium

PYTHON: Final = site.ROOT / ".venv-site" / "bin" / "python"
LOADED: Final = re.compile(
    r"""<(?:script|img|source|iframe|link|video|audio)\b[^>]*?\b(?:src|srcset|href)=["']?((?:https?:)?//[^"'\s>]+)"""
)
"""What a page loads from an absolute address; `<a href>` is no load."""
LOADED_BY_CSS: Final = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')]+)""")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make site` builds it."""
    if not PYTHON.exists():
        pytest.skip("the site's packages are not installed: `make .venv-site/.installed`, which `make test` does")
    target = tmp_path_factory.mktemp("built") / "site"
    done = subprocess.run(  # noqa: S603 - our own command
        [PYTHON, "-m", "docs.site", "--target", target],
        cwd=site.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_site_has_every_page(built: Path) -> None:
    """Each page of the index is on the site, and in its search."""
    search = (built / "search.json").read_text(encoding="utf-8")
    for page in site.pages():
        html = page.with_suffix(".html") if page.name != "README.md" else page.with_name("index.html")
        assert (built / html).exists(), page
    assert "confused deputy" in search


def test_site_loads_nothing_from_other_hosts(built: Path) -> None:
    """No page and no style sheet names a file on another host: no fonts, no scripts, no pictures."""
    pages, styles = list(built.rglob("*.html")), list(built.rglob("*.css"))
    assert len(pages) > 50
    assert styles
    foreign = {
        file.name: found
        for files, pattern in ((pages, LOADED), (styles, LOADED_BY_CSS))
        for file in files
        if (found := [each for each in pattern.findall(file.read_text(encoding="utf-8")) if "rel=" not in each])
    }
    assert foreign == {}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def address(built: Path) -> Iterator[str]:
    """The address of a web server with the site, which ends in a slash."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(built))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_site_works_in_a_browser(address: str) -> None:
    """In Chromium, pages and the search send requests to the site alone, and every picture loads."""
    if reason := chromium.missing():
        pytest.skip(reason)
    with chromium.run_chromium() as browser:
        page = chromium.new_page(browser, chromium.DESKTOP)
        page.set_default_timeout(120_000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for name in ("index.html", "docs/explanation/modes.html", "docs/explanation/consent.html"):
            page.goto(address + name)
            page.wait_for_load_state("networkidle")
            sizes = page.locator("article img").evaluate_all("images => images.map(image => image.naturalWidth)")
            assert sizes
            assert all(sizes), name
        page.keyboard.press("Control+k")
        page.keyboard.type("janitor")
        page.get_by_role("link", name=re.compile("registration", re.IGNORECASE)).first.wait_for()
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
