"""The files of the pages: served from memory, and part of the installed package."""

import zipfile
from pathlib import Path
from typing import Final

import pytest
from hatchling.builders.wheel import WheelBuilder

from nextcloud_mcp.errors import SettingsError
from nextcloud_mcp.pages.files import MAX_LOGO_BYTES, Files
from tests.support.server import EXCHANGE, Server, serving

ROOT: Final = Path(__file__).parents[3]
PNG: Final = bytes.fromhex("89504e470d0a1a0a")


async def test_browser_that_has_a_file_gets_304(server: Server) -> None:
    """A conditional request (RFC 9110 section 13.1.2) gets no body if the file is the same."""
    first = await server.http.get("/mcp/assets/pages.css")
    etag = first.headers["etag"]
    same = await server.http.get("/mcp/assets/pages.css", headers={"If-None-Match": etag})
    other = await server.http.get("/mcp/assets/pages.css", headers={"If-None-Match": '"other"'})
    assert (first.status_code, same.status_code, other.status_code) == (200, 304, 200)
    assert (same.content, same.headers["etag"]) == (b"", etag)


async def test_logo_can_be_replaced(tmp_path: Path) -> None:
    """The page shows the configured logo, which can run nothing when it is opened by itself."""
    logo = tmp_path / "Our logo.PNG"
    logo.write_bytes(PNG)
    async with serving({**EXCHANGE, "ORGANISATION_LOGO": str(logo)}) as server:
        page = await server.http.get("/mcp", headers={"Accept": "text/html"})
        shown = await server.http.get("/mcp/assets/logo.png")
    assert 'src="/mcp/assets/logo.png"' in page.text
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    assert shown.headers["content-security-policy"].endswith("; sandbox")
    assert shown.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["nothing.css", "__init__.py", "..%2f__init__.py", "", "%2e%2e/files.py"])
async def test_nothing_else_is_served(server: Server, path: str) -> None:
    """There are no other files below the address."""
    assert (await server.http.get(f"/mcp/assets/{path}")).status_code == 404


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_files_are_only_read(server: Server, method: str) -> None:
    """Other methods are refused."""
    assert (await server.http.request(method, "/mcp/assets/pages.css")).status_code == 405


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        pytest.param("logo.html", b"<svg/>", "must end in .svg, .png", id="no image"),
        pytest.param("logo.svg", None, r"can't be read \(FileNotFoundError\)", id="missing"),
        pytest.param("logo.svg", b" " * (MAX_LOGO_BYTES + 1), "has more than 256 KiB", id="large"),
    ],
)
def test_wrong_logo_stops_the_start(tmp_path: Path, name: str, content: bytes | None, reason: str) -> None:
    """The error names the setting."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"ORGANISATION_LOGO: .*{reason}"):
        Files(path)


def test_wheel_has_all_files_of_the_pages(tmp_path: Path) -> None:
    """Templates, texts, stylesheet, scripts and logo are in the wheel, which the server's image installs."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path))
    packed = set(zipfile.ZipFile(wheel).namelist())
    pages = ROOT / "server/nextcloud_mcp/pages"
    needed = {
        f"nextcloud_mcp/pages/{path.relative_to(pages)}"
        for folder in ("templates", "messages", "static")
        for path in (pages / folder).rglob("*")
        if path.is_file()
    }
    assert {Path(name).suffix for name in needed} == {".html", ".toml", ".css", ".js", ".svg"}
    assert needed <= packed
