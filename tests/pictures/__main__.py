"""Starts the demo, and takes the pictures: `python -m tests.pictures`, or with names of pictures, those alone.

It uses the demo's ports, as the docs do, and a folder of its own. `make pictures` runs it.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from docs import drawings
from tests.pictures.catalogue import PICTURES, Picture, crop
from tests.pictures.terminal import CALL, Step, recording
from tests.support.chromium import DESKTOP, missing, new_page, run_chromium, sign_in
from tests.support.mcp_client import McpUser, connected
from tests.support.oauth import ALICE, LOOPBACK_CALLBACK, Pkce
from tests.support.pages import ALL_SCOPES

ROOT: Final = Path(__file__).parents[2]
IMAGES: Final = ROOT / "docs" / "images"
TUTORIAL: Final = "tutorial"
END_OF_BANNER: Final = "Ctrl-C ends all of it"
PATIENCE: Final = 120.0
"""Seconds for an answer, on a busy machine too."""


@contextmanager
def run_demo(folder: Path) -> Iterator[str]:
    """Run the demo in a folder for the block; yield what it prints."""
    demo = subprocess.Popen(
        [sys.executable, "-u", "-m", "stack", "up"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "server")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield _banner(demo)
    finally:
        if demo.poll() is None:
            demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=120)


def _banner(demo: subprocess.Popen[str]) -> str:
    assert demo.stdout is not None
    printed = ""
    for line in demo.stdout:
        printed += line
        if END_OF_BANNER in line:
            return printed
    sys.exit(f"The demo did not start:\n{printed}")


def addresses(endpoints: dict[str, Any]) -> dict[str, str]:
    """Return the addresses that the pictures use, by their names in the catalogue."""
    issuer = endpoints["issuer"]
    claude = register(issuer, "Claude Code")
    imitator = register(issuer, "Official Nextcloud ✔ trusted by your company")
    return {
        "issuer": issuer,
        "exchange": endpoints["servers"]["exchange"].removesuffix("/mcp"),
        "request": request(issuer, claude, "exchange"),
        "other_request": request(issuer, imitator, "pass-through"),
        "unknown_request": request(issuer, "nobody", "exchange"),
    }


def request(issuer: str, client_id: str, mode: str) -> str:
    """Return the URL of an authorization request for all scopes."""
    parameters = {"response_type": "code", "client_id": client_id, "redirect_uri": LOOPBACK_CALLBACK}
    scope = {"scope": f"nextcloud-mcp:{mode} {ALL_SCOPES}"}
    return f"{issuer}/protocol/openid-connect/auth?{urlencode(parameters | scope | Pkce().parameters)}"


def register(issuer: str, name: str) -> str:
    """Register a client as MCP clients do (RFC 7591), and return its id."""
    client = {"client_name": name, "redirect_uris": [LOOPBACK_CALLBACK], "token_endpoint_auth_method": "none"}
    answer = httpx.post(f"{issuer}/clients-registrations/openid-connect", json=client, timeout=PATIENCE)
    return str(answer.raise_for_status().json()["client_id"])


def consent(chromium: Any, url: str) -> None:
    """Let alice allow a client everything that it requests, so that the account console has something to show."""
    page = new_page(chromium, DESKTOP)
    page.set_default_timeout(1000 * PATIENCE)
    sign_in(page, url, **ALICE)
    with page.expect_request(lambda request: request.url.startswith(LOOPBACK_CALLBACK)):  # where nothing listens
        page.click("#kc-login")


def take(chromium: Any, picture: Picture, known: dict[str, str]) -> str:
    """Take a picture, and return what was done."""
    address = picture.address.format_map(known)
    if picture.setting and httpx.get(address, headers={"Accept": "text/html"}, timeout=PATIENCE).is_error:
        return f"skipped: this server has no page {picture.address}, which {picture.setting} turns on"
    page = new_page(chromium, picture.size, language=picture.language, scheme=picture.scheme)
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(address)
    for step in picture.steps:
        step(page)
    parts = page.locator(picture.parts).all() if picture.parts else ()
    clip = crop((part.bounding_box() for part in parts), picture.size) if picture.parts else None
    path = IMAGES / f"{picture.name}.png"
    page.screenshot(path=path, full_page=picture.is_whole, clip=clip, animations="disabled")
    return f"docs/images/{picture.name}.png"


def record_tutorial(banner: str, folder: Path, endpoints: dict[str, Any]) -> str:
    """Run the tutorial's commands, and return their recording."""
    url = endpoints["servers"]["exchange"]
    discovery = url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    log = ".stack/server-exchange.log"
    start = re.sub(r"Ready in \d+ s", "Ready", banner)  # how long it takes says more about the machine
    steps = [
        Step("make demo", start, limit=30),
        Step(f"curl -i -X POST {url}", _run(folder, "curl", "-s", "-i", "-X", "POST", url), limit=6),
        Step(f"curl {discovery}", _run(folder, "curl", "-s", discovery), limit=2),
        Step("# alice adds the URL to her MCP client, signs in in the browser and consents; the client calls tools:"),
        *(Step(call, answer, limit=2, prompt=CALL) for call, answer in asyncio.run(_calls(url))),
        Step(f"grep tool.done {log}", _run(folder, "grep", "tool.done", log), limit=2),
    ]
    return recording(
        steps,
        title="A first call",
        description="A terminal. make demo starts Keycloak, a stand-in for Nextcloud and two MCP servers, and prints "
        "their addresses. A request without a token gets 401 with the address of the metadata, which names Keycloak's "
        "realm. After alice's sign-in, nc_whoami returns her account, a file is written, and writing it again is "
        "refused. The server's log has one line for each call.",
    )


async def _calls(url: str) -> list[tuple[str, str]]:
    """Make the tutorial's calls as alice; return each call and its answer."""
    made = []
    async with connected(url, McpUser(**ALICE)) as client:
        for tool, arguments in (
            ("nc_whoami", {}),
            ("nc_webdav_write_file", {"path": "Hello.md", "content": "Hello!"}),
            ("nc_webdav_write_file", {"path": "Hello.md", "content": "Hello again!"}),
        ):
            result = await client.call_tool(tool, arguments)
            text = getattr(result.content[0], "text", "")
            made.append((f"{tool} {json.dumps(arguments)}", " ".join(text.split())))
    return made


def _run(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Take the pictures that the command line names; without names, all."""
    names = [picture.name for picture in PICTURES] + [TUTORIAL]
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*names, []], help=", ".join(names))
    wanted = parser.parse_args().names or names
    if reason := missing():
        sys.exit(f"Cannot take pictures: {reason}.")
    drawings.main()
    with tempfile.TemporaryDirectory() as home, run_demo(Path(home)) as banner:
        endpoints = json.loads((Path(home) / ".stack" / "endpoints.json").read_text())
        if TUTORIAL in wanted:  # before the browser, which has an event loop of its own in this thread
            svg = record_tutorial(banner, Path(home), endpoints)
            (IMAGES / f"{TUTORIAL}.svg").write_text(svg, encoding="utf-8")
        with run_chromium() as chromium:
            take_all(chromium, [picture for picture in PICTURES if picture.name in wanted], addresses(endpoints))


def take_all(chromium: Any, pictures: Iterable[Picture], known: dict[str, str]) -> None:
    """Take pictures; Claude Code has access before, so that the account console has something to show."""
    consent(chromium, known["request"])
    known["request"] = request(known["issuer"], register(known["issuer"], "Claude Code"), "exchange")
    for picture in pictures:
        print(take(chromium, picture, known), flush=True)


if __name__ == "__main__":
    main()
