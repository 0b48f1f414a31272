"""`doctor.realm_file`: the shipped realm against a live one."""

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
def test_the_same(wanted: Any, found: Any) -> None:
    """What Keycloak changes by itself is no difference."""
    assert list(Comparison().differences(wanted, found)) == []


@pytest.mark.parametrize(("wanted", "found", "path"), OTHER.values(), ids=OTHER.keys())
def test_a_difference(wanted: Any, found: Any, path: str) -> None:
    """Anything else is one, and is named by its path, as kcadm writes it."""
    assert [each.dotted for each in Comparison().differences(wanted, found)] == [path]


def test_what_is_known_of_a_placeholder_holds() -> None:
    """A value that the settings give is not learnt anew from the realm; and it is filled in where it is shown."""
    (difference,) = Comparison({"X": "1"}).differences({"a": "${X:0}/mcp"}, {"a": "2/mcp"})
    assert difference.wanted == "1/mcp"


def test_the_shipped_realm_is_the_one_of_the_repository() -> None:
    """Which is the one that Keycloak imports."""
    shipped = json.loads((ROOT / "keycloak" / "realm-export.json").read_text())
    assert realm_file.read(None) == shipped
    assert list(Comparison().differences(shipped, copy.deepcopy(shipped))) == []


@pytest.mark.parametrize("text", [None, "not JSON"], ids=["missing", "not JSON"])
def test_no_realm(tmp_path: Path, text: str | None) -> None:
    """A file that is none is the step's fault, not a crash."""
    path = tmp_path / "realm.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Fault, match="is not a realm file"):
        realm_file.read(str(path))
