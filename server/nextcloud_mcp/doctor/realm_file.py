"""The realm as it is shipped, and how a live one is held against it.

Keycloak imports a realm once, so a newer file changes nothing by itself. What the file says must be so in the live
realm; what the file leaves out is Keycloak's default or the operator's affair. Ids, secrets, people and the clients
that register are not compared. A placeholder (`${NAME:default}`) stands for one value throughout.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from nextcloud_mcp.doctor.finding import Fault

IGNORED: Final = frozenset({"id", "secret", "description"})
"""What is generated, secret, or no more than words."""

_PLACEHOLDER: Final = re.compile(r"\$\{(\w+)(?::[^}]*)?\}")


def read(path: str | None) -> dict[str, Any]:
    """Return the realm of a file, or the shipped one.

    Raises:
        Fault: there is none.
    """
    source = Path(path) if path else _shipped()
    try:
        realm: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Fault(
            f"{source} is no realm ({type(error).__name__})", "give the file that was imported: --realm"
        ) from error
    return realm


def _shipped() -> Path:
    """Return where it is: in the wheel, or in the repository that the package runs from."""
    packaged = Path(str(files("nextcloud_mcp.doctor") / "realm-export.json"))
    return packaged if packaged.exists() else Path(__file__).parents[3] / "keycloak" / "realm-export.json"


@dataclass(frozen=True)
class Difference:
    """A place in the realm where the live one says something else.

    Attributes:
        path: the way to it, from the thing that was compared.
        wanted: what the file says.
        found: what the live realm says; None if nothing.
    """

    path: tuple[str, ...]
    wanted: Any
    found: Any

    @property
    def dotted(self) -> str:
        """The path as kcadm's `-s` has it; keys with dots of their own are quoted."""
        return ".".join(f'"{part}"' if "." in part else part for part in self.path)


@dataclass
class Comparison:
    """Compares things of the file with live ones, and learns what the placeholders stand for."""

    values: dict[str, str] = field(default_factory=dict)

    def filled(self, text: str) -> str | None:
        """Return a text of the file with its placeholders filled, or None if one is not known yet."""
        if any(name not in self.values for name in _PLACEHOLDER.findall(text)):
            return None
        return _PLACEHOLDER.sub(lambda found: self.values[found[1]], text)

    def differences(self, wanted: Any, found: Any, path: tuple[str, ...] = ()) -> Iterator[Difference]:
        """Find where `found` does not say what `wanted` says; in objects it may say more, in lists it may not."""
        if isinstance(wanted, Mapping):
            live = found if isinstance(found, Mapping) else {}
            for key, value in wanted.items():
                if key not in IGNORED:
                    yield from self.differences(value, live.get(key), (*path, key))
        elif not (self._same_list(wanted, found or []) if isinstance(wanted, list) else self._same(wanted, found)):
            yield Difference(path, self._filled_in(wanted), found)

    def _filled_in(self, wanted: Any) -> Any:
        """Fill what is known into a text or a list of texts."""
        if isinstance(wanted, list):
            return [self._filled_in(value) for value in wanted]
        return self.filled(wanted) or wanted if isinstance(wanted, str) else wanted

    def _same_list(self, wanted: list[Any], found: list[Any]) -> bool:
        """Compare regardless of order, for Keycloak keeps none: each to one, whichever fits all."""
        if not wanted or not found:
            return wanted == found
        for index, other in enumerate(found):
            learnt = dict(self.values)
            rest = found[:index] + found[index + 1 :]
            if not list(self.differences(wanted[0], other)) and self._same_list(wanted[1:], rest):
                return True
            self.values = learnt
        return False

    def _same(self, wanted: Any, found: Any) -> bool:
        """Compare two values; Keycloak writes numbers and booleans as words in some places."""
        if not isinstance(wanted, str) or not _PLACEHOLDER.search(wanted):
            return wanted == found or _word(wanted) == _word(found)
        names = _PLACEHOLDER.findall(wanted)
        pattern = _PLACEHOLDER.sub("\0", wanted)
        matched = re.fullmatch("(.*)".join(map(re.escape, pattern.split("\0"))), _word(found))
        if matched is None:
            return False
        return all(
            self.values.setdefault(name, value) == value for name, value in zip(names, matched.groups(), strict=True)
        )


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
