"""The shipped realm file, and its comparison with a live realm.

Keycloak imports a realm only once, so a newer file does not change an existing realm. Every value in the file must be
the same in the live realm. Values that the file does not set are Keycloak's defaults or the operator's choice. Ids,
secrets, users and clients that registered themselves are not compared. A placeholder (`${NAME:default}`) has the same
value wherever it occurs.
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
"""Keys whose values are generated, secret, or without effect."""

_PLACEHOLDER: Final = re.compile(r"\$\{(\w+)(?::[^}]*)?\}")
_SWITCH: Final = re.compile(r"\$\{\w+:(true|false)\}")
"""A placeholder for a boolean."""


def read(path: str | None) -> dict[str, Any]:
    """Return the realm in the file at `path`, or the shipped realm.

    Raises:
        Fault: the file cannot be read, or is not JSON.
    """
    source = Path(path) if path else _shipped()
    try:
        realm: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Fault(
            f"{source} is not a realm file ({type(error).__name__})", "pass the file that was imported with --realm"
        ) from error
    return realm


def _shipped() -> Path:
    """Return the path of the shipped realm file: in the wheel, or in the repository."""
    packaged = Path(str(files("nextcloud_mcp.doctor") / "realm-export.json"))
    return packaged if packaged.exists() else Path(__file__).parents[3] / "keycloak" / "realm-export.json"


@dataclass(frozen=True)
class Difference:
    """A value that differs between the file and the live realm.

    Attributes:
        path: the keys that lead to the value, from the object that was compared.
        wanted: the value in the file.
        found: the value in the live realm; None if it has none.
    """

    path: tuple[str, ...]
    wanted: Any
    found: Any

    @property
    def dotted(self) -> str:
        """The path in the syntax of kcadm's `-s`; keys that contain a dot are quoted."""
        return ".".join(f'"{part}"' if "." in part else part for part in self.path)


@dataclass
class Comparison:
    """Compares objects of the file with live ones, and collects the values of the file's placeholders."""

    values: dict[str, str] = field(default_factory=dict)

    def filled(self, text: str) -> str | None:
        """Return a text of the file with its placeholders replaced, or None if a value is not known yet."""
        if any(name not in self.values for name in _PLACEHOLDER.findall(text)):
            return None
        return _PLACEHOLDER.sub(lambda found: self.values[found[1]], text)

    def for_creation(self, part: Mapping[str, Any]) -> str:
        """Return a part of the file as JSON, with its placeholders replaced where that is possible.

        A switch whose value is not known gets its default.
        """
        text = _SWITCH.sub(self._switch, json.dumps(part))
        return self.filled(text) or text

    def _switch(self, placeholder: re.Match[str]) -> str:
        return self.filled(placeholder[0]) or placeholder[1]

    def differences(self, wanted: Any, found: Any, path: tuple[str, ...] = ()) -> Iterator[Difference]:
        """Yield the differences between two values; `found` may have more keys in objects, but not more list items."""
        if isinstance(wanted, Mapping):
            live = found if isinstance(found, Mapping) else {}
            for key, value in wanted.items():
                if key not in IGNORED:
                    yield from self.differences(value, live.get(key), (*path, key))
        elif not (self._same_list(wanted, found or []) if isinstance(wanted, list) else self._same(wanted, found)):
            yield Difference(path, self._filled_in(wanted), found)

    def _filled_in(self, wanted: Any) -> Any:
        """Replace the known placeholders in a text or a list of texts."""
        if isinstance(wanted, list):
            return [self._filled_in(value) for value in wanted]
        return self.filled(wanted) or wanted if isinstance(wanted, str) else wanted

    def _same_list(self, wanted: list[Any], found: list[Any]) -> bool:
        """Return whether the items can be matched one to one, in any order: Keycloak does not keep the order."""
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
        """Compare two values; Keycloak writes numbers and booleans as strings in some places."""
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
