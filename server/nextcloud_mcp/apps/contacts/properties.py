"""The properties of a vCard that store the fields of a contact (RFC 2426 section 3, RFC 6350 section 6)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from nextcloud_mcp.apps.contacts.fields import Address, Link, Name, Value
from nextcloud_mcp.nextcloud.content_lines import ContentLine, escape, split_values, unescape, write


@dataclass(frozen=True)
class StoredField:
    """How a field of `ContactData` is stored in a card.

    `read` returns the value of a line; `write` returns the line for a value and a vCard version. `lines` says how the
    lines form the field: "first" takes the first line and keeps the others, for example those in other languages;
    "each" has an item for each line; "joined" joins the lists of all lines.
    """

    key: str
    names: tuple[str, ...]
    lines: Literal["first", "each", "joined"]
    read: Callable[[ContentLine], Any]
    write: Callable[[Any, str], str]

    def join(self, items: list[Any]) -> Any:
        """Return the field, given the values of its lines."""
        if self.lines == "first":
            return items[0] if items else None
        return (items if self.lines == "each" else [text for item in items for text in item]) or None


def types_of(line: ContentLine) -> list[str]:
    """Return the types of a line, such as `home`; in vCard 2.1, parameters without a name are types too."""
    named = [value for name, *values in line.params if name.upper() == "TYPE" for value in values]
    unnamed = [param[0] for param in line.params if len(param) == 1]
    types = dict.fromkeys(word.lower() for value in named + unnamed for word in value.split(","))
    return [word for word in types if word not in {"", "pref"}]


def with_types(line: ContentLine, types: list[str]) -> ContentLine:
    """Return a line with other types; its other parameters and its group stay."""
    params = [f"{name}={','.join(map(_quoted, values))}" for name, *values in line.params if name.upper() != "TYPE"]
    name = f"{line.group}.{line.name}" if line.group else line.name
    return write(f"{';'.join([name, *params, *_type_param(types)])}:{line.value}")


def _quoted(value: str) -> str:
    """Return the value of a parameter, in quotes if it contains a delimiter (RFC 6350 section 3.3)."""
    return f'"{value}"' if any(character in value for character in ",;:") else value


def text_of(line: ContentLine) -> str:
    """Return the value of a line that is one text."""
    return unescape(line.value).strip()


def _texts(line: ContentLine) -> list[str]:
    return [text for part in split_values(line.value, ",") if (text := unescape(part).strip())]


def _components(line: ContentLine) -> list[str]:
    return [unescape(part).strip() for part in split_values(line.value.rstrip().removesuffix(";"), ";")]


def _value(line: ContentLine) -> Value:
    return Value.model_construct(value=text_of(line), type=types_of(line) or None)


def _link(line: ContentLine) -> Link:
    """Read a URL. Nextcloud escapes its commas (again) in responses that leave out other properties."""
    return Link.model_construct(value=text_of(line).replace("\\,", ","), type=types_of(line) or None)


def _name(line: ContentLine) -> Name:
    found: dict[str, Any] = dict(zip(Name.model_fields, _components(line), strict=False))
    return Name.model_construct(**found)


def _address(line: ContentLine) -> Address:
    parts = [name for name in Address.model_fields if name != "type"]
    found: dict[str, Any] = dict(zip(parts, _components(line), strict=False))
    return Address.model_construct(**found, type=types_of(line) or None)


def _birthday(line: ContentLine) -> str:
    """Return YYYY-MM-DD or --MM-DD; a value in another format, such as text, is returned unchanged."""
    found = re.fullmatch(r"(\d{4}|-)-?(\d{2})-?(\d{2})(T.*)?", line.value.strip(), re.ASCII)
    if found is None:
        return text_of(line)
    omitted = any(name.upper() == "X-APPLE-OMIT-YEAR" and found[1] in values for name, *values in line.params)
    return f"{'-' if omitted else found[1]}-{found[2]}-{found[3]}"


def _kind(line: ContentLine) -> str | None:
    if line.name == "X-ABSHOWAS":
        return "org" if line.value.upper() == "COMPANY" else None
    return line.value.strip().lower()


def _member(line: ContentLine) -> str:
    return line.value.strip().removeprefix("urn:uuid:")


def _write_text(name: str) -> Callable[[str, str], str]:
    return lambda text, _version: f"{name}:{escape(text)}"


def _write_list(name: str, separator: str) -> Callable[[list[str], str], str]:
    return lambda texts, _version: f"{name}:{separator.join(map(escape, texts))}"


def _write_parts(name: str, escape: Callable[[str], str]) -> Callable[[Any, str], str]:
    def write(item: Name | Address, _version: str) -> str:
        parts = [escape(getattr(item, part)) for part in type(item).model_fields if part != "type"]
        return f"{';'.join([name, *_type_param(getattr(item, 'type', None))])}:{';'.join(parts)}"

    return write


def _escaped_list(text: str) -> str:
    """Escape a component of N, in which commas separate values (RFC 6350 section 6.2.2)."""
    return ",".join(map(escape, text.split(",")))


def _write_value(name: str, escape: Callable[[str], str]) -> Callable[[Any, str], str]:
    return lambda item, _version: f"{';'.join([name, *_type_param(item.type)])}:{escape(item.value)}"


def _type_param(types: list[str] | None) -> list[str]:
    return [f"TYPE={','.join(map(_quoted, types))}"] if types else []


def _write_birthday(day: str, version: str) -> str:
    if version == "4.0":
        return f"BDAY:{day.replace('-', '') if day[0] != '-' else '--' + day[2:].replace('-', '')}"
    return f"BDAY;X-APPLE-OMIT-YEAR=1604:1604{day[1:]}" if day[0] == "-" else f"BDAY:{day}"


def _write_kind(kind: str, version: str) -> str:
    if version == "4.0":
        return f"KIND:{kind}"
    return "X-ABSHOWAS:COMPANY" if kind == "org" else f"X-ADDRESSBOOKSERVER-KIND:{kind}"


def _write_member(uid: str, version: str) -> str:
    uri = uid if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uid) else f"urn:uuid:{uid}"
    return f"{'MEMBER' if version == '4.0' else 'X-ADDRESSBOOKSERVER-MEMBER'}:{uri}"


FIELDS: Final = (
    StoredField("fn", ("FN",), "first", text_of, _write_text("FN")),
    StoredField("n", ("N",), "first", _name, _write_parts("N", _escaped_list)),
    StoredField("nickname", ("NICKNAME",), "joined", _texts, _write_list("NICKNAME", ",")),
    StoredField("email", ("EMAIL",), "each", _value, _write_value("EMAIL", escape)),
    StoredField("tel", ("TEL",), "each", _value, _write_value("TEL", escape)),
    StoredField("adr", ("ADR",), "each", _address, _write_parts("ADR", escape)),
    StoredField("org", ("ORG",), "first", _components, _write_list("ORG", ";")),
    StoredField("title", ("TITLE",), "first", text_of, _write_text("TITLE")),
    StoredField("role", ("ROLE",), "first", text_of, _write_text("ROLE")),
    StoredField("bday", ("BDAY",), "first", _birthday, _write_birthday),
    StoredField("url", ("URL",), "each", _link, _write_value("URL", str)),
    StoredField("note", ("NOTE",), "first", text_of, _write_text("NOTE")),
    StoredField("categories", ("CATEGORIES",), "joined", _texts, _write_list("CATEGORIES", ",")),
    StoredField("kind", ("KIND", "X-ADDRESSBOOKSERVER-KIND", "X-ABSHOWAS"), "first", _kind, _write_kind),
    StoredField("members", ("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"), "each", _member, _write_member),
)

READ_PROPERTIES: Final = tuple(name for field in FIELDS for name in field.names)
"""The properties that `read` uses; they exclude photos and the private properties of other programs."""
