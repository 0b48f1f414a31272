"""`doctor.realm_file`: the shipped realm compared with a live one."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from nextcloud_mcp.doctor import realm_file
from nextcloud_mcp.doctor.finding import Fault
from nextcloud_mcp.doctor.realm_file import Comparison

ROOT: Final = Path(__file__).parents[3]
SAME: Final[Mapping[str, tuple[Any, Any]]] = {
    "equal": ({"a": 1}, {"a": 1}),
    "the live one says more": ({"a": 1}, {"a": 1, "b": 2}),
    "another order": (["a", "b"], ["b", "a"]),
    "an empty list that is left out": ({"a": []}, {}),
    "numbers as words": ({"a": "300"}, {"a": 300}),
    "booleans as words": ({"a": "true"}, {"a": True}),
    "ids and secrets": ({"id": "1", "secret": "x"}, {"id": "2"}),
    "a placeholder": ({"a": "${X:1}/b"}, {"a": "2/b"}),
    "a placeholder twice": ({"a": "${X:1}", "b": "${X:1}/b"}, {"a": "2", "b": "2/b"}),
    "placeholders in a list that fit in one way": (["${X:1}/b", "${X:1}/c/b"], ["h/c/b", "h/b"]),
}
OTHER: Final[Mapping[str, tuple[Any, Any, str]]] = {
    "a value": ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b"),
    "left out": ({"a": {"b": 1}}, {}, "a.b"),
    "a list with more": ({"a": ["x"]}, {"a": ["x", "y"]}, "a"),
    "a list with less": ({"a": ["x", "y"]}, {"a": ["x"]}, "a"),
    "a list twice the same": ({"a": ["x", "x"]}, {"a": ["x", "y"]}, "a"),
    "a key with dots": ({"attributes": {"x.y": "1"}}, {"attributes": {"x.y": "2"}}, 'attributes."x.y"'),
    "a placeholder with two values": ({"a": "${X:1}", "b": "${X:1}"}, {"a": "1", "b": "2"}, "b"),
}


@pytest.mark.parametrize(("wanted", "found"), SAME.values(), ids=SAME.keys())
def test_changes_by_keycloak_are_no_difference(wanted: Any, found: Any) -> None:
    """What Keycloak changes by itself is not reported."""
    assert list(Comparison().differences(wanted, found)) == []


@pytest.mark.parametrize(("wanted", "found", "path"), OTHER.values(), ids=OTHER.keys())
def test_other_changes_are_differences(wanted: Any, found: Any, path: str) -> None:
    """Every other change is reported by its path, as kcadm writes it."""
    assert [each.dotted for each in Comparison().differences(wanted, found)] == [path]


def test_known_placeholder_values_are_kept() -> None:
    """A value from the settings is not replaced by the realm's, and is filled in where it is shown."""
    (difference,) = Comparison({"X": "1"}).differences({"a": "${X:0}/mcp"}, {"a": "2/mcp"})
    assert difference.wanted == "1/mcp"


def test_default_realm_file_is_that_of_the_repository() -> None:
    """The repository's realm file is the one that Keycloak imports."""
    shipped = json.loads((ROOT / "keycloak" / "realm-export.json").read_text())
    assert realm_file.read(None) == shipped
    assert list(Comparison().differences(shipped, copy.deepcopy(shipped))) == []


@pytest.mark.parametrize("text", [None, "not JSON"], ids=["missing", "not JSON"])
def test_invalid_realm_file_is_reported(tmp_path: Path, text: str | None) -> None:
    """An invalid file fails the step without a crash."""
    path = tmp_path / "realm.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Fault, match="is not a realm file"):
        realm_file.read(str(path))
