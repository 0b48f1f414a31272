"""The drawings of the docs as SVG, light and dark: the parts and their tokens, and one call in each mode.

`make pictures` writes them to docs/images; a test holds the files against this module. Text stays text, so that it can
be searched, and each drawing has a title and a description for screen readers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

IMAGES: Final = Path(__file__).parent / "images"


@dataclass(frozen=True)
class Theme:
    """Colors of a drawing. Texts have a contrast of at least 4.5:1 to what is behind them (WCAG 2.2, 1.4.3)."""

    ground: str
    box: str
    line: str
    text: str
    muted: str
    client: str
    """The token that the client holds."""
    exchanged: str
    """The token for Nextcloud."""


THEMES: Final[Mapping[str, Theme]] = {
    "light": Theme("#ffffff", "#f3f6fa", "#5b6b7f", "#14202e", "#46566a", "#0a58b0", "#0b6b3a"),
    "dark": Theme("#0d1117", "#18212d", "#8594a8", "#e8eef5", "#a9b6c6", "#7db7ff", "#6fd69b"),
}


_FONTS: Final = "system-ui, -apple-system, Segoe UI, Noto Sans, Helvetica, Arial, sans-serif"


class Drawing:
    """An SVG under construction."""

    def __init__(self, theme: Theme, size: tuple[int, int], title: str, description: str) -> None:
        self.theme = theme
        self._parts: list[str] = []
        self._size = size
        self._title = title
        self._description = description

    def box(self, at: tuple[int, int], size: tuple[int, int], title: str, *lines: str) -> None:
        """Draw a box with a title and lines below it, centred; `at` is its top left corner."""
        (x, y), (width, height) = at, size
        self._parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="10" fill="{self.theme.box}" '
            f'stroke="{self.theme.line}" stroke-width="1.5"/>'
        )
        top = y + height // 2 + 6 - 10 * len(lines)
        self.text((x + width // 2, top), title, weight=600, size=17, has_margin=False)
        for number, line in enumerate(lines, start=1):
            self.text((x + width // 2, top + 3 + 20 * number), line, color=self.theme.muted, has_margin=False)

    def text(
        self,
        at: tuple[int, int],
        text: str,
        *,
        color: str = "",
        weight: int = 400,
        size: int = 14,
        anchor: str = "middle",
        has_margin: bool = True,
    ) -> None:
        """Draw a line of text with a margin that covers lines below it; `at` is where its baseline is anchored."""
        margin = f'stroke="{self.theme.ground}" stroke-width="5" paint-order="stroke"' if has_margin else ""
        self._parts.append(
            f'<text x="{at[0]}" y="{at[1]}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
            f'fill="{color or self.theme.text}" {margin}>{escape(text)}</text>'
        )

    def arrow(self, start: tuple[int, int], end: tuple[int, int], color: str = "", *, dashed: bool = False) -> None:
        """Draw a straight arrow."""
        color = color or self.theme.line
        dashes = ' stroke-dasharray="6 5"' if dashed else ""
        self._parts.append(
            f'<line x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}" stroke="{color}" '
            f'stroke-width="2"{dashes} marker-end="url(#head-{color[1:]})"/>'
        )

    def line(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Draw a thin dashed line."""
        self._parts.append(
            f'<line x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}" stroke="{self.theme.line}" '
            'stroke-dasharray="3 5"/>'
        )

    def svg(self) -> str:
        """Return the finished drawing."""
        width, height = self._size
        heads = "".join(
            f'<marker id="head-{color[1:]}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            f'orient="auto-start-reverse"><path d="M0 0 10 5 0 10z" fill="{color}"/></marker>'
            for color in (self.theme.line, self.theme.client, self.theme.exchanged)
        )
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"',
                f' height="{height}" role="img" aria-labelledby="title description" font-family="{_FONTS}">',
                f'<title id="title">{escape(self._title)}</title>',
                f'<desc id="description">{escape(self._description)}</desc>',
                f"<defs>{heads}</defs>",
                f'<rect width="{width}" height="{height}" rx="12" fill="{self.theme.ground}"/>',
                *self._parts,
                "</svg>",
                "",
            ]
        )


def architecture(theme: Theme) -> str:
    """Return the parts, and which token goes where in exchange mode."""
    drawing = Drawing(
        theme,
        (960, 400),
        "One token becomes another",
        "An MCP client signs a person in at Keycloak and gets a token for the MCP server alone. For each call, the MCP "
        "server checks the token and the tool's scope, and exchanges the token at Keycloak for one that only Nextcloud "
        "accepts, for 60 seconds. Nextcloud fetches the signing keys from Keycloak. The MCP server stores nothing.",
    )
    box = (220, 104)
    drawing.box((24, 40), box, "MCP client", "Claude, VS Code, …", "holds a token for 5 minutes")
    drawing.box((370, 40), box, "MCP server", "checks token and scope", "stores nothing")
    drawing.box((716, 40), box, "Nextcloud", "stock, with user_oidc", "files, calendars, notes, …")
    drawing.box(
        (24, 272), (912, 92), "Keycloak", "accounts · consent for each client and app · policies for clients · sessions"
    )
    drawing.arrow((244, 92), (368, 92), theme.client)
    drawing.text((306, 66), "token for", color=theme.client)
    drawing.text((306, 83), "the server", color=theme.client)
    drawing.arrow((590, 92), (714, 92), theme.exchanged)
    drawing.text((652, 66), "token for", color=theme.exchanged)
    drawing.text((652, 83), "Nextcloud, 60 s", color=theme.exchanged)
    drawing.arrow((104, 144), (104, 270))
    drawing.text((116, 202), "the person signs in", anchor="start")
    drawing.text((116, 221), "and consents", anchor="start")
    drawing.arrow((450, 144), (450, 270), theme.client)
    drawing.arrow((510, 270), (510, 146), theme.exchanged)
    drawing.text((522, 202), "exchange, for each call", anchor="start")
    drawing.text((522, 221), "(RFC 8693)", anchor="start")
    drawing.arrow((796, 144), (796, 270), dashed=True)
    drawing.text((808, 211), "signing keys", anchor="start")
    return drawing.svg()


_CLIENT, _SERVER, _KEYCLOAK, _NEXTCLOUD = range(4)
_LANES: Final = ("MCP client", "MCP server", "Keycloak", "Nextcloud")
_LANE_WIDTH: Final = 230
_ROW: Final = 46
_Step = tuple[int, int, str, str]
"""From which lane to which (the same: something that it does itself), the text, and a color of `Theme` or ''."""


def _sequence(theme: Theme, title: str, description: str, steps: tuple[_Step, ...]) -> str:
    height = 84 + _ROW * len(steps) + 20
    drawing = Drawing(theme, (_LANE_WIDTH * len(_LANES), height), title, description)
    centres = [_LANE_WIDTH * lane + _LANE_WIDTH // 2 for lane in range(len(_LANES))]
    for centre, name in zip(centres, _LANES, strict=True):
        drawing.line((centre, 60), (centre, height - 16))
        drawing.box((centre - 80, 16), (160, 44), name)
    for number, (source, target, text, color) in enumerate(steps):
        y = 108 + _ROW * number
        tint = getattr(theme, color) if color else ""
        if source == target:
            drawing.text((centres[source] + 12, y), f"● {text}", anchor="start")
            continue
        forward = 3 if source < target else -3
        drawing.arrow((centres[source] + forward, y), (centres[target] - forward, y), tint)
        drawing.text(((centres[source] + centres[target]) // 2, y - 8), text, color=tint)
    return drawing.svg()


def exchange(theme: Theme) -> str:
    """Return one call in exchange mode."""
    return _sequence(
        theme,
        "A call in exchange mode",
        "The client signs in at Keycloak with the scope nextcloud-mcp:exchange and gets an access token whose audience "
        "is the MCP server. It calls a tool with this token. The server checks signature, issuer, audience, time and "
        "the tool's scope, and exchanges the token at Keycloak. Keycloak checks session, account, client and consent, "
        "and returns a token whose audience is nextcloud, valid for 60 seconds. The server calls Nextcloud with it, "
        "drops it, and returns the result.",
        (
            (_CLIENT, _KEYCLOAK, "sign-in, consent (scope nextcloud-mcp:exchange files:read)", ""),
            (_KEYCLOAK, _CLIENT, "access token, aud = MCP server", "client"),
            (_CLIENT, _SERVER, "call of a tool, with that token", "client"),
            (_SERVER, _SERVER, "signature, issuer, audience, time, the tool's scope", ""),
            (_SERVER, _KEYCLOAK, "exchange (RFC 8693)", "client"),
            (_KEYCLOAK, _KEYCLOAK, "session, account, client, consent still good?", ""),
            (_KEYCLOAK, _SERVER, "token, aud = nextcloud, 60 s", "exchanged"),
            (_SERVER, _NEXTCLOUD, "the call, with the exchanged token", "exchanged"),
            (_NEXTCLOUD, _SERVER, "response", ""),
            (_SERVER, _SERVER, "drops the exchanged token", ""),
            (_SERVER, _CLIENT, "result", ""),
        ),
    )


def pass_through(theme: Theme) -> str:
    """Return one call in pass-through mode."""
    return _sequence(
        theme,
        "A call in pass-through mode",
        "The client signs in at Keycloak with the scope nextcloud-mcp:pass-through and gets an access token whose "
        "audiences are the MCP server and nextcloud. It calls a tool with this token. The server checks signature, "
        "issuer, both audiences, time and the tool's scope, calls Nextcloud with the same token, and returns the "
        "result.",
        (
            (_CLIENT, _KEYCLOAK, "sign-in, consent (scope nextcloud-mcp:pass-through files:read)", ""),
            (_KEYCLOAK, _CLIENT, "access token, aud = MCP server and nextcloud", "client"),
            (_CLIENT, _SERVER, "call of a tool, with that token", "client"),
            (_SERVER, _SERVER, "signature, issuer, both audiences, time, the tool's scope", ""),
            (_SERVER, _NEXTCLOUD, "the call, with the same token", "client"),
            (_NEXTCLOUD, _SERVER, "response", ""),
            (_SERVER, _CLIENT, "result", ""),
        ),
    )


DRAWINGS: Final[Mapping[str, Callable[[Theme], str]]] = {
    "architecture": architecture,
    "exchange": exchange,
    "pass-through": pass_through,
}


def files() -> dict[str, str]:
    """Return the content of each file in docs/images that this module writes."""
    return {f"{name}-{scheme}.svg": draw(theme) for name, draw in DRAWINGS.items() for scheme, theme in THEMES.items()}


def main() -> None:
    """Write all drawings."""
    for name, svg in files().items():
        (IMAGES / name).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
