"""The fields of a contact, as tools receive and return them.

Reading and writing use the same fields, so a caller can change what it has read and pass it back.
"""

import json
import re
from datetime import date
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from nextcloud_mcp.nextcloud import content_lines

Kind = Literal["individual", "group", "org", "location"]


class _Fields(BaseModel):
    """Base model that forbids unknown fields and serializes no empty ones."""

    _null_is_absent: ClassVar[bool] = True

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, fields: Any) -> Any:
        """Treat an optional field that is null as missing."""
        if not isinstance(fields, dict) or not cls._null_is_absent:
            return fields
        parts = cls.model_fields
        return {
            name: value
            for name, value in fields.items()
            if value is not None or name not in parts or parts[name].is_required()
        }

    @model_serializer(mode="wrap")
    def _lean(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value not in (None, "", [])}


def _to_nonempty_list(value: Any) -> Any:
    """Return the values that are not empty; a single value becomes a list of one."""
    values = [value] if isinstance(value, str | dict) else value
    return [each for each in values if each not in EMPTY] if isinstance(values, list) else values


EMPTY: Final = (None, "", {"value": ""})


def _split_commas(value: Any) -> Any:
    return _to_nonempty_list([part.strip() for part in value.split(",")] if isinstance(value, str) else value)


def _strip_trailing_empty(value: Any) -> Any:
    """Return a list of values without the empty ones at its end; empty ones between others keep the positions."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list):
        return values
    filled = [index for index, each in enumerate(values, 1) if each not in EMPTY]
    return ["" if each is None else each for each in values[: max(filled, default=0)]]


def _to_typed_value(value: Any, info: ValidationInfo) -> Any:
    """Convert text to an object; accept an object without `value` if the card has it, as some programs write it."""
    if isinstance(value, dict) and "value" not in value and _is_present_value(value, info):
        return {"value": "", **value}
    return {"value": value} if isinstance(value, str) else value


def _is_present_value(value: Any, info: ValidationInfo) -> bool:
    """Return whether the present card contains a value; such a value is valid in any form."""
    return value_key(value) in (info.context or ())


def value_key(value: Any) -> Any:
    """Return a hashable form of a text or an object."""
    return json.dumps(value, sort_keys=True).encode() if isinstance(value, dict) else value


def _uri(text: str, info: ValidationInfo) -> str:
    if re.search(r"\s", text) and not _is_present_value(text, info):
        raise ValueError("must be without blanks")
    return text


def _day(text: str, info: ValidationInfo) -> str:
    """Check that a text is a date, YYYY-MM-DD, or `--MM-DD` without the year."""
    if _is_present_value(text, info):
        return text
    if not re.fullmatch(r"(\d{4}|-)-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError("must be YYYY-MM-DD, or --MM-DD without the year")
    try:
        date.fromisoformat(text.replace("--", "2000-", 1) if text.startswith("--") else text)
    except ValueError:
        raise ValueError(f"must be a day of the calendar, which {text} is not") from None
    return text


def _type(text: str, info: ValidationInfo) -> str:
    if not _is_present_value(text, info) and not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise ValueError("must be a word such as home or work")
    return text.lower()


Text = Annotated[str, AfterValidator(content_lines.text)]
"""Text without control characters except line breaks, which are escaped in the card."""

Texts = Annotated[list[Text], BeforeValidator(_to_nonempty_list)]
Types = Annotated[list[Annotated[str, AfterValidator(_type)]], BeforeValidator(_to_nonempty_list)]


class Name(_Fields):
    """The components of N, in their order in the card; commas separate several values of one component."""

    family: Text = ""
    given: Text = ""
    additional: Text = ""
    prefix: Text = ""
    suffix: Text = ""


class Value(_Fields):
    """A telephone number or mail address with its types, such as home, work or cell; None keeps the present types."""

    value: Text
    type: Types | None = None


class Link(_Fields):
    """A URL with its types; None keeps the present types."""

    value: Annotated[Text, AfterValidator(_uri)]
    type: Types | None = None


class Address(_Fields):
    """The components of ADR, in their order in the card, and its types, such as home or work."""

    po_box: Text = ""
    extended: Text = ""
    street: Text = ""
    city: Text = ""
    region: Text = ""
    postcode: Text = ""
    country: Text = ""
    type: Types | None = None


Values = Annotated[list[Annotated[Value, BeforeValidator(_to_typed_value)]], BeforeValidator(_to_nonempty_list)]
Links = Annotated[list[Annotated[Link, BeforeValidator(_to_typed_value)]], BeforeValidator(_to_nonempty_list)]
Addresses = Annotated[list[Address], BeforeValidator(_to_nonempty_list)]


class ContactData(_Fields):
    """The fields of a contact that this module reads and writes; `org` is the organization, then its units.

    `members` are the UIDs of the contacts of a group. In a change, fields that are not set keep their values, and
    fields that are None or empty are removed.
    """

    _null_is_absent: ClassVar[bool] = False

    fn: Text | None = None
    n: Name | None = None
    nickname: Texts | None = None
    email: Values | None = None
    tel: Values | None = Field(default=None, validation_alias=AliasChoices("tel", "phone"))
    adr: Addresses | None = None
    org: Annotated[list[Text], BeforeValidator(_strip_trailing_empty)] | None = Field(
        default=None, validation_alias=AliasChoices("org", "organization")
    )
    title: Text | None = None
    role: Text | None = None
    bday: Annotated[str, AfterValidator(_day)] | Literal[""] | None = None
    url: Links | None = None
    note: Text | None = None
    categories: Annotated[list[Text], BeforeValidator(_split_commas)] | None = None
    kind: Kind | None = None
    members: Texts | None = None
