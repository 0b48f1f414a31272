"""Builds the pages as a web site with search, in `site/`: `make site`.

Zensical (the successor of Material for MkDocs, whose development has ended) makes the pages. It runs with `--strict`: a
link to a page or a heading that does not exist fails the build. The pages are written for GitHub, so this module copies
them first and adapts the copies: Python-Markdown, which Zensical uses, wants lists indented by four spaces, and links
to source code have no target on the site. The navigation follows from docs/README.md.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
INDEX: Final = ROOT / "docs" / "README.md"
LINK: Final = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")
"""A link of Markdown: its text, its target, and its anchor with `#`."""

_FENCE: Final = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_PLACE: Final = re.compile(r"^( *```sh) \w+$", re.MULTILINE)
"""The line that opens a block of commands, with the place where tests/docs runs them."""

_MARKER: Final = re.compile(r"(\d+\.|[-*]) +(?=\S)")
_CODE_INDENT: Final = 4
_CONFIG: Final = """
[project]
site_name = "Nextcloud for AI assistants"
site_description = "An MCP server that gives AI assistants safe access to Nextcloud through Keycloak"
docs_dir = "pages"
site_dir = "site"
use_directory_urls = false
nav = {nav}

[project.theme]
language = "en"
font = false
features = ["navigation.sections", "navigation.top", "search.highlight", "content.code.copy", "toc.follow"]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle = {{ icon = "lucide/sun", name = "Dark" }}

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle = {{ icon = "lucide/moon", name = "Light" }}

[project.extra]
generator = false
"""


def navigation() -> dict[str, list[Path]]:
    """Return the pages of docs/README.md under its headings, in its order.

    Returns:
        for each heading of the second level the pages below it, as paths from the repository's root.
    """
    _, *sections = re.split(r"^## ", INDEX.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        section.partition("\n")[0]: [
            (INDEX.parent / target).resolve().relative_to(ROOT) for _, target, _ in LINK.findall(section)
        ]
        for section in sections
    }


def pages() -> list[Path]:
    """Return every page of the site, as paths from the repository's root."""
    return [
        Path("README.md"),
        INDEX.relative_to(ROOT),
        *(page for section in navigation().values() for page in section),
    ]


def adapted(page: Path) -> str:
    """Return a page as the site needs it: lists indented by four, and no links to files that are not on the site."""
    known = {ROOT / known for known in pages()}

    def link(match: re.Match[str]) -> str:
        text, target, _ = match.groups()
        file = (ROOT / page.parent / target).resolve()
        return match[0] if not target or "://" in target or file in known or file.suffix == ".png" else text

    text = (ROOT / page).read_text(encoding="utf-8")
    parts = _split(_FENCE, text)
    return indented("".join(_PLACE.sub(r"\1", part) if is_code else LINK.sub(link, part) for is_code, part in parts))


def indented(text: str) -> str:
    """Return Markdown with the contents of lists indented by four spaces for each level, as Python-Markdown wants it.

    A list that follows a paragraph without an empty line gets one.
    """
    lines: list[str] = []
    columns: list[int] = []  # where the content of each open list item begins
    fenced = False
    for line in text.splitlines():
        content = line.lstrip(" ")
        indent = len(line) - len(content)
        if not content:
            lines.append("")
            continue
        while columns and indent < columns[-1] and not fenced:
            columns.pop()
        excess = max(indent - (columns[-1] if columns else 0), 0)
        marker = None if fenced or excess >= _CODE_INDENT else _MARKER.match(content)
        if marker and lines and lines[-1] and not _is_list(lines[-1], len(columns)):
            lines.append("")
        lines.append(" " * (4 * len(columns) + excess) + content)
        if marker:
            columns.append(indent + marker.end())
        fenced ^= content.startswith("```")
    return "\n".join(lines) + "\n"


def _is_list(line: str, level: int) -> bool:
    """Return whether a line belongs to an item of the list of that level, or of a deeper one."""
    return line.startswith(" " * 4 * (level + 1)) or bool(_MARKER.match(line[4 * level :]))


def _split(pattern: re.Pattern[str], text: str) -> Iterator[tuple[bool, str]]:
    """Split a text into what the pattern matches (True) and what is between (False)."""
    end = 0
    for match in pattern.finditer(text):
        yield False, text[end : match.start()]
        yield True, match[0]
        end = match.end()
    yield False, text[end:]


def build(target: Path) -> None:
    """Build the site.

    Args:
        target: the folder to write; what it contains is deleted.

    Raises:
        subprocess.CalledProcessError: a page has a warning, such as a link without a target.
    """
    with tempfile.TemporaryDirectory() as folder:
        copies = Path(folder) / "pages"
        for page in pages():
            copy = copies / page
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(adapted(page), encoding="utf-8")
        shutil.copytree(ROOT / "docs" / "images", copies / "docs" / "images")
        nav = [{"Start": ["README.md", str(INDEX.relative_to(ROOT))]}]
        nav += [{title: [str(page) for page in section]} for title, section in navigation().items()]
        (Path(folder) / "zensical.toml").write_text(_CONFIG.format(nav=_toml(nav)), encoding="utf-8")
        zensical = Path(sys.executable).with_name("zensical")
        subprocess.run([zensical, "build", "--strict"], cwd=folder, check=True)  # noqa: S603 - the site's own tool
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(Path(folder) / "site", target)


def _toml(nav: list[dict[str, list[str]]]) -> str:
    tables = ", ".join(
        f"{{ {json.dumps(title)} = {json.dumps(files)} }}" for entry in nav for title, files in entry.items()
    )
    return f"[{tables}]"


def main() -> None:
    """Build the site into the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m docs.site")
    parser.add_argument("--target", type=Path, default=ROOT / "site", help="the folder to write")
    build(parser.parse_args().target)


if __name__ == "__main__":
    main()
