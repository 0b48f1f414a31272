"""`apps.tables.cells`: cell values of Nextcloud Tables, checked against their columns."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nextcloud_mcp.apps.tables import cells
from nextcloud_mcp.apps.tables.columns import Cell, Column
from nextcloud_mcp.errors import InvalidArgumentError

OPTIONS = [{"id": 0, "label": "raw"}, {"id": 1, "label": "made"}]


def column(number: int, title: str, kind: str, **fields: Any) -> Column:
    """Return a column as the API describes it."""
    return Column.model_validate({"id": number, "title": title, "type": kind, **fields})


COLUMNS = [
    column(1, "Text", "text", subtype="line", textMaxLength=5),
    column(2, "Link", "text", subtype="link"),
    column(3, "Number", "number", numberMin=0, numberMax=100, numberDecimals=2),
    column(4, "Whole", "number", numberDecimals=None, numberMin=1),
    column(5, "Stars", "number", subtype="stars"),
    column(6, "Kind", "selection", selectionOptions=OPTIONS),
    column(7, "Kinds", "selection", subtype="multi", selectionOptions=OPTIONS),
    column(8, "Done", "selection", subtype="check"),
    column(9, "Moment", "datetime", subtype=""),
    column(10, "Day", "datetime", subtype="date"),
    column(11, "Hour", "datetime", subtype="time"),
    column(12, "Owner", "usergroup", usergroupMultipleItems=False, usergroupSelectUsers=True),
    column(13, "Team", "usergroup", usergroupMultipleItems=True),
    column(14, "Later", "a-type-of-the-future"),
    column(15, "Capped", "number", numberMax=3),
    column(16, "Linked", "text", subtype="link", textAllowedPattern="files,contacts"),
]


def encode_row(data: dict[str, Any], *, columns: list[Column] = COLUMNS, new: bool = False) -> dict[int, Any]:
    """Return what would be sent."""
    return cells.encode_row(data, columns, new=new)


@pytest.mark.parametrize(
    ("name", "value", "sent", "read"),
    [
        pytest.param("Text", "abcde", "abcde", "abcde", id="a text"),
        pytest.param(
            "Link",
            "https://x.org",
            '{"title": "https://x.org", "value": "https://x.org"}',
            {"title": "https://x.org", "value": "https://x.org"},
            id="a link's address",
        ),
        pytest.param(
            "Link",
            {"title": "X", "value": "https://x.org"},
            '{"title": "X", "value": "https://x.org"}',
            {"title": "X", "value": "https://x.org"},
            id="a link with its title",
        ),
        pytest.param(
            "Link",
            {"title": "X (http://y)", "value": "HTTPS://x.org/a?b=c"},
            '{"title": "X \\u0028http://y)", "value": "https://x.org/a?b=c"}',
            {"title": "X (http://y)", "value": "https://x.org/a?b=c"},
            id="a link that looks like an export",
        ),
        pytest.param(
            "Linked",
            {"title": "X", "value": "https://x.org", "providerId": "files"},
            '{"title": "X", "value": "https://x.org", "providerId": "files"}',
            {"title": "X", "value": "https://x.org", "providerId": "files"},
            id="a link of a provider",
        ),
        pytest.param("Number", 12.25, 12.25, 12.25, id="a number"),
        pytest.param("Number", 0, 0, 0, id="zero is no emptiness"),
        pytest.param("Stars", 5, 5, 5, id="stars"),
        pytest.param("Kind", "made", 1, "made", id="an option by label"),
        pytest.param("Kind", 1, 1, "made", id="an option by id"),
        pytest.param("Kind", "0", 0, "raw", id="an option by id as text"),
        pytest.param("Kinds", ["raw", 1], [0, 1], ["raw", "made"], id="several options"),
        pytest.param("Kinds", "raw", [0], ["raw"], id="one of several options"),
        pytest.param("Done", True, "true", True, id="a check"),
        pytest.param("Done", "False", "false", False, id="no check"),
        pytest.param("Moment", "2026-11-23 10:11", "2026-11-23 10:11", "2026-11-23 10:11", id="a moment"),
        pytest.param("Moment", "2026-11-23T10:11:00", "2026-11-23 10:11", "2026-11-23 10:11", id="ISO 8601"),
        pytest.param("Day", "2026-11-23", "2026-11-23", "2026-11-23", id="a day"),
        pytest.param("Hour", "10:11", "10:11", "10:11", id="an hour"),
        pytest.param("Owner", "alice", [{"id": "alice", "type": 0}], [{"id": "alice", "type": 0}], id="a user"),
        pytest.param(
            "Team",
            ["alice", {"id": "team", "type": 1, "displayName": "Team"}],
            [{"id": "alice", "type": 0}, {"id": "team", "type": 1}],
            [{"id": "alice", "type": 0}, {"id": "team", "type": 1}],
            id="a user and a group",
        ),
        pytest.param("Later", {"any": 1}, {"any": 1}, {"any": 1}, id="a type that is not known here"),
    ],
)
def test_valid_values_are_encoded_and_decoded(name: str, value: Any, sent: Any, read: Any) -> None:
    """Values are accepted as people write them, and a decoded value can be written back."""
    (number,) = [column.id for column in COLUMNS if column.title == name]
    assert encode_row({name: value}) == encode_row({str(number): value}) == {number: sent}
    assert cells.value_mismatches({number: sent}, [Cell(column_id=number, value=sent)], COLUMNS) == []
    assert cells.decode_row([Cell(column_id=number, value=sent)], COLUMNS) == {name: read}
    assert encode_row({name: read}) == {number: sent}


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("Number", "12.25", 12.25),
        ("Number", " 7 ", 7),
        ("Whole", "07", 7),
        ("Stars", "+5", 5),
        ("Done", "yes", "true"),
        ("Done", 0, "false"),
        ("Team", {"id": "team", "type": "1"}, [{"id": "team", "type": 1}]),
    ],
)
def test_numbers_and_booleans_may_be_text(name: str, value: Any, sent: Any) -> None:
    """This also applies inside `data`."""
    assert list(encode_row({name: value}).values()) == [sent]


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        pytest.param("Text", 5, "must be a text", id="a number for a text"),
        pytest.param("Text", "abcdef", "has 6 characters, and at most 5", id="too long"),
        pytest.param("Link", "example.org", "must be an http or https address", id="a link without a scheme"),
        pytest.param("Link", "mailto:a@b.org", "must be an http or https address", id="a link of another scheme"),
        pytest.param("Link", "https:/x.org", "must be an http or https address", id="a link without a host"),
        pytest.param("Link", {"title": "X"}, "must be an http or https address", id="a title without a link"),
        pytest.param("Link", 5, "must be an http or https address", id="a number for a link"),
        pytest.param("Number", "a dozen", "must be a number", id="a text for a number"),
        pytest.param("Number", "12,5", "must be a number", id="a comma in a number"),
        pytest.param("Number", True, "must be a number", id="a truth for a number"),
        pytest.param("Number", float("inf"), "must be a number", id="no number at all"),
        pytest.param("Number", float("nan"), "must be a number", id="not a number"),
        pytest.param("Whole", 10**400, "must be a number", id="larger than any number"),
        pytest.param("Number", 100.5, "must be at least 0 and at most 100", id="too large"),
        pytest.param("Whole", 0, "must be at least 1:", id="too small"),
        pytest.param("Capped", 4, "must be at most 3", id="above the only bound"),
        pytest.param("Number", 1.234, "would be rounded: the column keeps 2 decimals", id="too exact"),
        pytest.param("Whole", 1.5, "keeps 0 decimals", id="no whole number"),
        pytest.param("Whole", None, "stores as 0", id="an empty number"),
        pytest.param("Stars", 6, "must be at least 0 and at most 5", id="too many stars"),
        pytest.param("Kind", "old", "must be one of 'raw', 'made'", id="no option"),
        pytest.param("Kinds", ["raw", 9], "must be one of", id="no option among several"),
        pytest.param("Done", "perhaps", "must be true or false", id="no truth"),
        pytest.param("Moment", "tomorrow", "must be YYYY-MM-DD HH:MM", id="no moment"),
        pytest.param("Moment", "2026-11-23 10:11:12", "without seconds and time zone", id="seconds"),
        pytest.param("Moment", "2026-11-23T10:11Z", "you have set no time zone in Nextcloud", id="an offset"),
        pytest.param("Day", 20261123, "must be YYYY-MM-DD", id="a number for a day"),
        pytest.param("Day", ["2026-11-23"], "must be YYYY-MM-DD", id="a list for a day"),
        pytest.param("Day", "2026-02-30", "must be YYYY-MM-DD", id="no day"),
        pytest.param("Hour", "25:00", "must be HH:MM", id="no hour"),
        pytest.param("Owner", ["alice", "bob"], "takes only one entry", id="too many people"),
        pytest.param("Owner", {"id": "team", "type": 1}, "takes no groups", id="a group for a user"),
        pytest.param("Team", {"id": "x", "type": 7}, "must be user ids", id="no type"),
        pytest.param("Team", {"id": "x", "type": [0]}, "must be user ids", id="a list for a type"),
        pytest.param("Team", {"id": "x", "type": True}, "must be user ids", id="a truth for a type"),
        pytest.param("Team", 5, "must be user ids", id="no user"),
    ],
)
def test_invalid_values_are_refused(name: str, value: Any, complaint: str) -> None:
    """Tables would silently store nothing or another value: the error names the column and valid values."""
    with pytest.raises(InvalidArgumentError) as refused:
        encode_row({name: value})
    assert f"data[{name!r}]" in str(refused.value)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("2027-01-31T18:00:00+00:00", "2027-01-31 19:00"),
        ("2027-07-31T18:00Z", "2027-07-31 20:00"),
        ("2027-01-31T18:00:00+01:00", "2027-01-31 18:00"),
        ("2027-01-31T18:00", "2027-01-31 18:00"),
    ],
)
def test_time_with_offset_is_stored_in_user_zone(value: str, sent: str) -> None:
    """Tables has no zones and would drop the offset, so the user's local time is stored."""
    zone = ZoneInfo("Europe/Berlin")
    assert cells.has_offset({"Moment": value}, COLUMNS) is (len(value) > len("2027-01-31T18:00"))
    (kept,) = cells.encode_row({"Moment": value}, COLUMNS, new=False, zone=zone).values()
    assert kept == sent


def test_time_out_of_range_in_user_zone_is_refused() -> None:
    """The time has no valid date in the user's zone."""
    with pytest.raises(InvalidArgumentError, match=r"data\['Moment'\] is outside of the years 1 to 9999"):
        cells.encode_row({"Moment": "0001-01-01T00:00+14:00"}, COLUMNS, new=False, zone=ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("name", "sent", "kept", "is_same"),
    [
        pytest.param("Number", 1e-7, 0, False, id="another number"),
        pytest.param("Number", 2, 2.0, True, id="a number written otherwise"),
        pytest.param("Kinds", [1, 0], [0, 1], True, id="options in order"),
        pytest.param("Kinds", [1, 0], [1], False, id="an option lost"),
        pytest.param("Kind", 1, "1", True, id="an option as text"),
        pytest.param("Kind", 1, None, False, id="nothing"),
        pytest.param("Done", "true", "false", False, id="another truth"),
        pytest.param("Moment", "2027-01-31 18:00", "", False, id="no moment"),
        pytest.param("Team", [{"id": "a", "type": 0}], [{"id": "a", "type": 0, "displayName": "A"}], True, id="a name"),
        pytest.param("Team", [{"id": "a", "type": 0}], [], False, id="nobody"),
        pytest.param("Later", {"any": 1}, 7, True, id="a type that is not known, kept"),
        pytest.param("Later", {"any": 1}, None, False, id="a type that is not known, lost"),
    ],
)
def test_dropped_values_are_detected(name: str, sent: Any, kept: Any, *, is_same: bool) -> None:
    """Equivalent spellings are equal; every other difference is a loss and is named with its column."""
    (number,) = [column.id for column in COLUMNS if column.title == name]
    lost = cells.value_mismatches({number: sent}, [Cell(column_id=number, value=kept)], COLUMNS)
    assert lost == ([] if is_same else [f"{kept!r} in place of {sent!r} in {name!r}"])


MANDATORY = [column(1, "Name", "text", mandatory=True), column(2, "Note", "text")]


def test_mandatory_columns_require_values() -> None:
    """A new row needs them, and they can't be emptied; an update may omit them."""
    with pytest.raises(InvalidArgumentError, match="data lacks 'Name'"):
        encode_row({"Note": "x"}, columns=MANDATORY, new=True)
    with pytest.raises(InvalidArgumentError, match=r"data\['Name'\] is empty"):
        encode_row({"Name": ""}, columns=MANDATORY)
    assert encode_row({"Note": None}, columns=MANDATORY) == {2: None}


def test_unknown_column_error_lists_columns() -> None:
    """The error lists the existing columns."""
    with pytest.raises(InvalidArgumentError, match="no column 'Nmae': use 'Name', 'Note'"):
        encode_row({"Nmae": "x"}, columns=MANDATORY)


def test_all_unknown_columns_are_named_at_once() -> None:
    """One sentence has all of them, whichever function reads the names first; of many, it has the first ten."""
    data = {"Nmae": "x", "Name": "y", "Notes": "z"}
    for use in (
        encode_row,
        lambda row: cells.has_offset(row, COLUMNS),
        lambda row: cells.usergroup_names(row, COLUMNS),
    ):
        with pytest.raises(
            InvalidArgumentError, match=r"^The table has no columns 'Nmae', 'Name', 'Notes': use 'Text', "
        ):
            use(data)
    with pytest.raises(InvalidArgumentError, match=r"no columns 'x1', .*'x10' and 2 more: use 'Name', 'Note'"):
        encode_row({f"x{number}": 1 for number in range(1, 13)}, columns=MANDATORY)


def test_all_values_that_can_not_be_stored_are_named_at_once() -> None:
    """The error has a sentence for each column."""
    with pytest.raises(InvalidArgumentError) as refused:
        encode_row({"Text": "too long", "Done": "maybe", "Whole": 1})
    assert str(refused.value) == (
        "data['Text'] has 8 characters, and at most 5 are allowed: correct that value. "
        "data['Done'] must be true or false: correct that value."
    )


TWINS = [column(1, "Name", "text"), column(2, "Name", "text"), column(3, "1", "text"), column(4, "", "text")]


def test_columns_with_ambiguous_titles_use_ids() -> None:
    """So do columns without a title or titled like another's id, so no value reaches the wrong column."""
    row = cells.decode_row([Cell(column_id=n, value=f"v{n}") for n in (1, 2, 3, 4, 99)], TWINS)
    assert row == {"1": "v1", "2": "v2", "3": "v3", "4": "v4"}
    assert encode_row(row, columns=TWINS) == {1: "v1", 2: "v2", 3: "v3", 4: "v4"}
    with pytest.raises(InvalidArgumentError, match="more than one column 'Name': use its id, 1 or 2"):
        encode_row({"Name": "x"}, columns=TWINS)
    with pytest.raises(
        InvalidArgumentError, match=r"no column 'Nmae': use .*\. The table has more than one column 'Name'"
    ):
        encode_row({"Name": "x", "Nmae": "y"}, columns=TWINS)


@pytest.mark.parametrize(
    ("number", "value", "read"),
    [
        pytest.param(6, 9, 9, id="an option that is gone"),
        pytest.param(6, None, None, id="nothing"),
        pytest.param(2, "https://x.org", "https://x.org", id="a link that is no JSON"),
        pytest.param(2, "5", "5", id="a link that is other JSON"),
    ],
)
def test_invalid_stored_values_are_returned_unchanged(number: int, value: Any, read: Any) -> None:
    """Values stored by other means are returned as they are."""
    assert list(cells.decode_row([Cell(column_id=number, value=value)], COLUMNS).values()) == [read]


@pytest.mark.parametrize(
    ("value", "option"),
    [
        pytest.param(3, 2, id="a number is the label"),
        pytest.param("3", 2, id="as is a number in text"),
        pytest.param(" 3 ", 2, id="with spaces around it"),
        pytest.param(3.0, 2, id="a number with an empty fraction"),
        pytest.param(0, 0, id="no label, so an id"),
    ],
)
def test_option_labels_take_precedence_over_ids(value: Any, option: int) -> None:
    """Of options labeled 1 to 5 with ids 0 to 4, 3 is the one labeled 3."""
    options = [{"id": number, "label": str(number + 1)} for number in range(5)]
    marks = [column(1, "Mark", "selection", selectionOptions=options)]
    assert encode_row({"Mark": value}, columns=marks) == {1: option}
    assert encode_row(
        {"Mark": [value]}, columns=[column(1, "Mark", "selection", subtype="multi", selectionOptions=options)]
    ) == {1: [option]}


@pytest.mark.parametrize("kind", ["", "multi"])
def test_read_option_writes_the_same_option(kind: str) -> None:
    """This holds if labels are shared, so that ids are read, and another label looks like such an id."""
    labels = ["a", "a", "0"]
    options = [{"id": number, "label": label} for number, label in enumerate(labels)]
    marks = [column(1, "Mark", "selection", subtype=kind, selectionOptions=options)]
    for option in range(len(labels)):
        value = [option] if kind == "multi" else option
        read = cells.decode_row([Cell(column_id=1, value=value)], marks)
        assert encode_row(read, columns=marks) == {1: value}, read


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        pytest.param("Moment", " 2027-01-31 10:00 ", "2027-01-31 10:00", id="a time"),
        pytest.param("Day", " 2027-01-31\n", "2027-01-31", id="a day"),
        pytest.param("Hour", " 10:00", "10:00", id="an hour"),
        pytest.param("Moment", "  ", None, id="no time"),
        pytest.param("Owner", "alice ", [{"id": "alice", "type": 0}], id="a person"),
        pytest.param("Team", ["alice ", " bob"], [{"id": "alice", "type": 0}, {"id": "bob", "type": 0}], id="people"),
        pytest.param("Owner", " ", None, id="nobody"),
        pytest.param("Done", " true ", "true", id="a check"),
        pytest.param("Kind", " made ", 1, id="an option"),
        pytest.param(" 9 ", "2027-01-31 10:00", "2027-01-31 10:00", id="a column's id"),
        pytest.param(" Day ", "2027-01-31", "2027-01-31", id="a column's title"),
        pytest.param("Text", " a ", " a ", id="a text keeps them"),
    ],
)
def test_surrounding_whitespace_is_ignored(name: str, value: Any, sent: Any) -> None:
    """The calendar and Deck ignore it as well."""
    assert list(encode_row({name: value}).values()) == [sent]


def test_whitespace_around_time_with_offset_is_ignored() -> None:
    """The user's zone is still looked up."""
    data = {"Moment": " 2027-01-31T10:00Z "}
    assert cells.has_offset(data, COLUMNS)
    assert cells.encode_row(data, COLUMNS, new=False, zone=ZoneInfo("Europe/Berlin")) == {9: "2027-01-31 11:00"}


def test_options_with_same_label_use_ids() -> None:
    """Otherwise writing back the value would select another option."""
    twins = [column(1, "Kind", "selection", selectionOptions=[{"id": 0, "label": "a"}, {"id": 1, "label": "a"}])]
    assert cells.decode_row([Cell(column_id=1, value=1)], twins) == {"Kind": 1}
    assert encode_row({"Kind": 1}, columns=twins) == {1: 1}
