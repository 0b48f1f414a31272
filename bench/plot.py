"""Draw bars as SVG, without a library."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

BAR: Final = 16
GAP: Final = 12
LEFT: Final = 190
WIDTH: Final = 480
COLORS: Final = ("#8a8a8a", "#bdbdbd", "#0082c9", "#f4a331")


def bars(title: str, unit: str, groups: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> str:
    """Return a picture with one group of bars for each row; bars of the same name have the same color."""
    longest = max(value for group in groups.values() for value in group.values()) or 1.0
    parts, y = [], 34 + 18 * len(names)
    for number, name in enumerate(names):
        parts += [_rectangle(LEFT, 26 + 18 * number, 12, 12, number), _text(LEFT + 18, 36 + 18 * number, name)]
    for label, group in groups.items():
        parts.append(_text(LEFT - 8, y + BAR, label, anchor="end"))
        for number, name in enumerate(names):
            if name in group:
                width = WIDTH * group[name] / longest
                parts.append(_rectangle(LEFT, y, width, BAR - 2, number))
                parts.append(_text(LEFT + width + 6, y + 12, f"{group[name]:.3g} {unit}"))
                y += BAR
        y += GAP
    size = f'width="{LEFT + WIDTH + 100}" height="{y}" viewBox="0 0 {LEFT + WIDTH + 100} {y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12" role="img">'
    background = f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="#ffffff"/>'
    return "\n".join([head, background, _text(8, 16, title, weight="bold"), *parts, "</svg>\n"])


def _rectangle(x: float, y: float, width: float, height: float, color: int) -> str:
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.1f}" height="{height:.0f}" fill="{COLORS[color]}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
