"""Read, create and change vCards 3 and 4 (RFC 2426, RFC 6350).

Cards come from many programs, each with its own properties. Therefore a change rewrites only the lines of the changed
fields. It keeps all other lines byte for byte: photos, labels, parameters, folding, order.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from pydantic import BaseModel

from nextcloud_mcp.apps.contacts.fields import ContactData, Name, value_key
from nextcloud_mcp.apps.contacts.properties import FIELDS, StoredField, text_of, types_of, with_types
from nextcloud_mcp.apps.contacts.validation import ALIASES, validate_contact
from nextcloud_mcp.errors import InvalidArgumentError, NextcloudError, quoted
from nextcloud_mcp.nextcloud import content_lines
from nextcloud_mcp.nextcloud.content_lines import MAX_LINES, ContentLine, escape, write


def change_fields(card: str, fields: Mapping[str, Any]) -> str:
    """Return the card with a caller's fields; fields that equal the result of `read` are not changed.

    Raises:
        InvalidArgumentError, NextcloudError: as in `validate_contact` and `change`.
    """
    told = read(card).model_dump(mode="json")
    others = {
        name: value for name, value in fields.items() if told.get(ALIASES.get(name, name)) != value or value is None
    }
    return change(card, validate_contact(others, frozenset(map(value_key, _values_in(told)))))


def _values_in(value: Any) -> Iterator[Any]:
    """Yield all texts and objects in a value, at any depth."""
    if isinstance(value, str | dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _values_in(inner)


def read_lines(card: str) -> list[ContentLine]:
    """Return the first `MAX_LINES` content lines of a card."""
    return [content_lines.parse(raw) for raw in islice(content_lines.split(card), MAX_LINES)]


def uid_of(card: str) -> str:
    """Return the card's UID; empty if it has none."""
    return next((text_of(line) for line in read_lines(card) if line.name == "UID"), "")


def read(card: str) -> ContactData:
    """Return the fields of a card."""
    lines = read_lines(card)
    found: dict[str, Any] = {}
    for field in FIELDS:
        items = [field.read(line) for line in lines if line.name in field.names]
        found[field.key] = field.join([item for item in items if item])
    return ContactData.model_construct(**found)


def create(uid: str, data: ContactData) -> str:
    """Return a new card, in vCard 4.

    Raises:
        InvalidArgumentError: `uid` is not valid, or no field supplies a formatted name (FN).
    """
    if not re.fullmatch(r"[!-.0-~]{1,200}", uid):
        raise InvalidArgumentError(
            "Invalid uid {uid}",
            "pass up to 200 letters, digits and signs, without blanks and slashes",
            argument="uid",
            uid=quoted(uid),
        )
    shown = data.fn or _shown_name(data)
    if not shown:
        raise InvalidArgumentError(
            "contact_data.fn is missing", "it is the name under which the contact is shown", argument="contact_data"
        )
    names = data.n if data.n and data.n.model_dump() else _name_from(shown, data.kind)
    frame = f"BEGIN:VCARD\r\nVERSION:4.0\r\n{write(f'UID:{escape(uid)}').raw}\r\nEND:VCARD\r\n"
    return change(frame, ContactData(**{**_set_fields(data), "fn": shown, "n": names}))


def _shown_name(data: ContactData) -> str:
    names = data.n
    whole = " ".join(filter(None, (names.prefix, names.given, names.additional, names.family))) if names else ""
    return whole or (data.org or [""])[0] or (data.nickname or [""])[0] or (data.email[0].value if data.email else "")


def _name_from(shown: str, kind: str | None = None) -> Name:
    """Derive N from FN, because vCard 3 and many phones require N: the last word is the family name."""
    given, _, family = shown.rpartition(" ")
    return Name(family=family, given=given) if given and kind in {None, "individual"} else Name(given=shown)


def change(card: str, data: ContactData) -> str:
    """Return the card with the fields that are set in `data`; all other lines stay as they are.

    If FN changes and N is what `_name_from` derives from the old FN, N is derived again.

    Raises:
        InvalidArgumentError: FN would be empty.
        NextcloudError: the card is vCard 2.1 or older, which this module cannot write, or has too many lines.
    """
    fields = _set_fields(data)
    lines = was = read_lines(card)
    if len(lines) == MAX_LINES:
        raise NextcloudError(f"The contact has {MAX_LINES} lines or more", "change it in Nextcloud Contacts")
    version = next((line.value.strip() for line in lines if line.name == "VERSION"), "")
    if version not in {"3.0", "4.0"}:
        raise NextcloudError(
            "The contact is a vCard {version}", "change it in Nextcloud Contacts", version=version or "without version"
        )
    if "fn" in fields and not fields["fn"]:
        raise InvalidArgumentError(
            "contact_data.fn is empty",
            "a contact can't be without the name that it is shown by",
            argument="contact_data",
        )
    before = read(card)
    if "n" not in fields and fields.get("fn") and before.n == _name_from(before.fn or "", before.kind):
        fields["n"] = _name_from(fields["fn"], before.kind)
    for field in FIELDS:
        if field.key in fields:
            lines = _with_field(lines, field, fields[field.key], version)
    if lines == was:
        return card
    if any(line.name == "REV" for line in lines):
        lines = _replaced(lines, ("REV",), [write(f"REV:{datetime.now(UTC):%Y%m%dT%H%M%SZ}")])
    return "".join(f"{line.raw}\r\n" for line in lines)


def _set_fields(data: ContactData) -> dict[str, Any]:
    return {name: getattr(data, name) for name in data.model_fields_set}


def _with_field(lines: list[ContentLine], field: "StoredField", wanted: Any, version: str) -> list[ContentLine]:
    """Return the lines with a new value of a field; a line that already has its value is kept."""
    old = [line for line in lines if line.name in field.names]
    if not wanted:
        return _replaced(lines, field.names, [])
    if field.lines == "each":
        by_value: dict[str, list[ContentLine]] = {}
        for line in old:
            by_value.setdefault(_key_without_types(field.read(line)), []).append(line)
        said = [
            item
            for item in wanted
            if _key_without_types(item) in by_value or _key_without_types(item) != _KEY_OF_EMPTY_ITEM
        ]
        new = [_matching_or_new_line(by_value.get(_key_without_types(item), []), item, field, version) for item in said]
        return lines if new == old else _replaced(lines, field.names, new)
    if old and field.join([field.read(line) for line in old]) == wanted:
        return lines
    written = write(field.write(wanted, version))
    return _replaced(lines, field.names, [written, *(old[1:] if field.lines == "first" else [])])


def _matching_or_new_line(same: list[ContentLine], item: Any, field: "StoredField", version: str) -> ContentLine:
    """Return a line for an item: one of `same`, the lines with its value, with other types if needed, or a new line."""
    if not same:
        return write(field.write(item, version))
    types: list[str] | None = getattr(item, "type", None)
    if types is None:
        return next((line for line in same if not types_of(line)), same[0])
    exact = next((line for line in same if set(types_of(line)) == set(types)), None)
    return exact or with_types(same[0], types)


def _key_without_types(item: Any) -> str:
    """Return a value without its types, as a key."""
    return str(item.model_dump(exclude={"type"}) if isinstance(item, BaseModel) else item)


_KEY_OF_EMPTY_ITEM: Final = "{}"
"""The result of `_untyped` for an item without any value; such an item gets no line."""


def _replaced(lines: list[ContentLine], names: tuple[str, ...], new: list[ContentLine]) -> list[ContentLine]:
    """Replace the lines with these names, or add lines before END; labels of removed groups are removed too."""
    places = [index for index, line in enumerate(lines) if line.name in names]
    end = max((index for index, line in enumerate(lines) if line.name == "END"), default=len(lines))
    place = places[0] if places else end
    result = [line for line in lines[:place] if line.name not in names]
    result += [*new, *(line for line in lines[place:] if line.name not in names)]
    gone = {line.group for line in lines} - {line.group for line in result if line.name not in _LABELS}
    return [line for line in result if line.name not in _LABELS or line.group not in gone or line.group is None]


_LABELS: Final = ("X-ABLABEL", "X-ABADR")
"""Properties with which Apple's programs describe the other line of the same group."""
