"""`apps.contacts.vcard`: cards are read, created, and changed without loss."""

import time
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcloud_mcp.apps.contacts import properties, vcard
from nextcloud_mcp.apps.contacts.fields import ContactData
from nextcloud_mcp.apps.contacts.validation import validate_contact
from nextcloud_mcp.errors import InvalidArgumentError, NextcloudError
from tests.support import killable


def card(*lines: str, version: str = "4.0") -> str:
    """Return a card with these lines."""
    return "".join(f"{line}\r\n" for line in ("BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD"))


def said(text: str) -> dict[str, Any]:
    """Return what a card says, without what it does not."""
    return vcard.read(text).model_dump()


FULL = {
    "fn": "Dr. Ann Example",
    "n": {"family": "Example", "given": "Ann", "additional": "Bea,Cleo", "prefix": "Dr."},
    "nickname": ["Annie", "A, B"],
    "email": [{"value": "ann@example.org", "type": ["work", "home"]}, {"value": "a@example.org"}],
    "tel": [{"value": "+49 123", "type": ["cell"]}],
    "adr": [{"street": "Long Road 1, B; rear", "city": "Köln", "postcode": "50667", "type": ["home"]}],
    "org": ["Example, Inc.", "Research; Development"],
    "title": "Head",
    "role": "Engineer",
    "bday": "1980-02-29",
    "url": [{"value": "https://example.org/?a=1,2;b"}],
    "note": "Likes tea,\nnot coffee; \\o/",
    "categories": ["Family", "Work"],
}


def test_written_fields_are_read_back() -> None:
    """Every field is read back as written, with commas, semicolons, backslashes and line ends."""
    assert said(vcard.create("u1", validate_contact(FULL))) == FULL


def test_new_card_is_vcard_4() -> None:
    """The card has a UID and structured name (last word as family name); lines are folded at 75 bytes."""
    made = vcard.create("u1", validate_contact({"fn": "Ann Bea Example", "note": "ü" * 100}))
    assert made.startswith("BEGIN:VCARD\r\nVERSION:4.0\r\nUID:u1\r\nFN:Ann Bea Example\r\nN:Example;Ann Bea;;;\r\n")
    assert made.endswith("\r\nEND:VCARD\r\n")
    assert max(len(line.encode()) for line in made.split("\r\n")) <= 75


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        pytest.param(
            {"n": {"given": "Ann", "family": "Example", "prefix": "Dr."}}, "Dr. Ann Example", id="from its parts"
        ),
        pytest.param({"org": "Example Ltd"}, "Example Ltd", id="from the organization"),
        pytest.param({"nickname": "annie"}, "annie", id="from the nickname"),
        pytest.param({"email": "a@example.org"}, "a@example.org", id="from the address"),
    ],
)
def test_missing_fn_is_derived(fields: dict[str, Any], shown: str) -> None:
    """FN is mandatory (RFC 6350 section 6.2.1), so it is derived from other properties."""
    assert said(vcard.create("u1", validate_contact(fields)))["fn"] == shown


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        pytest.param({"email": "a@b"}, {"email": [{"value": "a@b"}]}, id="a text for a list"),
        pytest.param({"phone": "1"}, {"tel": [{"value": "1"}]}, id="phone for tel"),
        pytest.param({"organization": "X"}, {"org": ["X"]}, id="organization for org"),
        pytest.param({"categories": "A, B,"}, {"categories": ["A", "B"]}, id="categories by commas"),
        pytest.param(
            {"tel": {"value": "1", "type": "WORK"}}, {"tel": [{"value": "1", "type": ["work"]}]}, id="one of many types"
        ),
        pytest.param({"adr": {"city": "X"}}, {"adr": [{"city": "X"}]}, id="one address"),
        pytest.param({"note": "a\x00b\u2028c\r\nd"}, {"note": "a b c\nd"}, id="control characters"),
        pytest.param({"bday": "--02-29"}, {"bday": "--02-29"}, id="a birthday without its year"),
        pytest.param(
            {"kind": "group", "members": ["u2", "mailto:a@b"]},
            {"kind": "group", "members": ["u2", "mailto:a@b"]},
            id="a group",
        ),
        pytest.param({"note": "", "title": None, "url": []}, {}, id="nothing"),
        pytest.param({"adr": {"street": None, "city": "X"}}, {"adr": [{"city": "X"}]}, id="a part that is null"),
        pytest.param({"adr": [{"street": None, "type": "home"}]}, {}, id="an address without parts"),
        pytest.param({"n": {"given": "X", "family": None}}, {}, id="a part of a name that is null"),
        pytest.param({"email": [None, "a@b"]}, {"email": [{"value": "a@b"}]}, id="an entry that is null"),
        pytest.param({"tel": {"value": "1", "type": None}}, {"tel": [{"value": "1"}]}, id="a type that is null"),
        pytest.param({"org": ["A", None, "B", None]}, {"org": ["A", "", "B"]}, id="units that are null"),
        pytest.param({"categories": ["a", None]}, {"categories": ["a"]}, id="a group that is null"),
    ],
)
def test_short_forms_of_fields_are_accepted(given: dict[str, Any], stored: dict[str, Any]) -> None:
    """Short forms that people and models write are accepted; empty values are not written."""
    found = said(vcard.create("u1", validate_contact({"fn": "X", "n": {"given": "X"}, **given})))
    assert found == {"fn": "X", "n": {"given": "X"}} | stored


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        pytest.param({"photo": "x"}, "Unknown field 'photo' in contact_data: use fn, n,", id="unknown field"),
        pytest.param({"n": {"first": "x"}}, "Unknown 'first' in contact_data.n: leave it out", id="unknown part"),
        pytest.param({"fn": 3}, "Invalid contact_data.fn (3): pass text.", id="no text"),
        pytest.param({"email": ["a", 3]}, "Invalid item 2 of contact_data.email (3)", id="second entry"),
        pytest.param({"bday": "2026-02-30"}, "Invalid contact_data.bday", id="no such day"),
        pytest.param({"bday": "3. Mai"}, "must be YYYY-MM-DD", id="no date"),
        pytest.param({"tel": {"value": "1", "type": "a:b"}}, "must be a word such as home", id="no type"),
        pytest.param({"url": "a b"}, "must be without blanks", id="no URL"),
        pytest.param({"kind": "robot"}, "Invalid contact_data.kind", id="no kind"),
    ],
)
def test_invalid_fields_are_named(fields: dict[str, Any], complaint: str) -> None:
    """The error names the field down to the entry, and does not quote its value."""
    with pytest.raises(InvalidArgumentError) as refused:
        validate_contact(fields)
    assert complaint in str(refused.value)


@pytest.mark.parametrize("uid", ["", " ", "a/b", "a b", "ü", "x" * 201, "a\nFN:b"])
def test_invalid_uid_is_refused(uid: str) -> None:
    """A UID is part of a URL and of a content line."""
    with pytest.raises(InvalidArgumentError, match="Invalid uid"):
        vcard.create(uid, validate_contact({"fn": "X"}))


def test_contact_requires_a_name() -> None:
    """A contact without a name is refused, and no change can remove the name."""
    with pytest.raises(InvalidArgumentError, match=r"contact_data\.fn is missing"):
        vcard.create("u1", validate_contact({"note": "x"}))
    with pytest.raises(InvalidArgumentError, match=r"contact_data\.fn is empty"):
        vcard.change(card("FN:X"), validate_contact({"fn": ""}))


OTHERS_4 = card(
    "UID:u1",
    "FN;LANGUAGE=en:Ann Example",
    'N;SORT-AS="Example,Ann":Example;Ann;;;',
    'item1.TEL;VALUE=uri;PREF=1;TYPE="voice,home":tel:+1-555',
    "item1.X-ABLabel:Büro",
    "EMAIL;x-Spelt=Like-This:ann@example.org",
    "PHOTO:data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA",
    " AAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNg",
    "NOTE:folded where the other program folds",
    "  at thirty",
    'X-Other;x-flag="a:b":kept\\, as it is',
    "RELATED;TYPE=friend:urn:uuid:f81d4fae",
    "TITLE:Head",
    "TITLE;LANGUAGE=de:Leiterin",
    "a line that is none",
)

OTHERS_3 = card(
    "UID:u1",
    "N:Example;Ann;;;",
    "FN:Ann Example",
    "EMAIL;TYPE=INTERNET;TYPE=HOME,pref:ann@example.org",
    "item1.EMAIL;type=INTERNET:a@example.org",
    "item1.X-ABLabel:_$!<Other>!$_",
    "BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29",
    "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRg",
    " ABAQAAAQABAAD",
    "X-ADDRESSBOOKSERVER-KIND:group",
    "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:m1",
    "CATEGORIES:a,b",
    "CATEGORIES:c",
    version="3.0",
)


LABELLED = card(
    "FN:Ann  ",
    "N:Example ;Ann;;;",
    "item1.EMAIL:a@example.org",
    "item1.X-ABLabel:One",
    "EMAIL;TYPE=home;PREF=1:a@example.org",
    "EMAIL;TYPE=work;PREF=2:a@example.org",
    "item2.EMAIL:b@example.org",
    "item2.X-ABLabel:Two",
    "NOTE:a\tb",
)


@pytest.mark.parametrize("text", [OTHERS_4, OTHERS_3, LABELLED], ids=["vCard 4", "vCard 3", "labels between"])
def test_unchanged_fields_change_no_byte(text: str) -> None:
    """Writing back what was read changes no byte."""
    assert vcard.change(text, validate_contact(said(text))) == text


@pytest.mark.parametrize(
    ("field", "line", "new"),
    [
        pytest.param("email", "EMAIL;TYPE=HOME:", "a@example.org", id="email"),
        pytest.param("email", "EMAIL:", "a@example.org", id="email without a type"),
        pytest.param("tel", "TEL;TYPE=CELL:", "+49 1", id="tel"),
        pytest.param("url", "URL;TYPE=WORK:", "https://example.org", id="url"),
        pytest.param("adr", "ADR;TYPE=HOME:;;;;;;", {"city": "X"}, id="adr"),
        pytest.param("adr", "ADR:;;;;;;", {"city": "X"}, id="adr without a type"),
        pytest.param("org", "ORG:A;;B", "C", id="org"),
        pytest.param("nickname", "NICKNAME:a,,b", "c", id="nickname"),
        pytest.param("categories", "CATEGORIES:a,,b", "c", id="categories"),
        pytest.param("members", "MEMBER:", "u2", id="members"),
    ],
)
def test_empty_values_are_kept_when_list_grows(field: str, line: str, new: Any) -> None:
    """Phones write empty values; a list passed back with one more entry keeps the others."""
    text = card("FN:X", "N:X;;;;", line)
    read = said(text).get(field, [])
    changed = vcard.change_fields(text, {field: [*read, new]})
    after = said(changed)[field]
    assert after[: len(read)] == read
    assert len(after) == len(read) + 1
    assert field in {"org", "nickname", "categories", "members"} or line in changed.splitlines()
    assert vcard.change_fields(text, {field: read} if read else {}) == text


TEL = 'item1.TEL;VALUE=uri;PREF=1;TYPE="voice,home":tel:+1-555\r\n'
BDAY = "BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29"
MEMBER = "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:m1\r\n"
END = "END:VCARD"


@pytest.mark.parametrize(
    ("fields", "old", "new"),
    [
        pytest.param({"title": "Boss"}, "TITLE:Head", "TITLE:Boss", id="the first of two languages"),
        pytest.param({"tel": None}, f"{TEL}item1.X-ABLabel:Büro\r\n", "", id="removed, and its label"),
        pytest.param({"tel": ["tel:+1-555", "+49"]}, TEL, f"{TEL}TEL:+49\r\n", id="one more number"),
        pytest.param(
            {"tel": {"value": "tel:+1-555", "type": "work"}},
            TEL,
            "item1.TEL;VALUE=uri;PREF=1;TYPE=work:tel:+1-555\r\n",
            id="another type with the same parameters",
        ),
        pytest.param({"bday": "--02-29"}, END, f"BDAY:--0229\r\n{END}", id="a new line comes last"),
        pytest.param({"categories": ["x", "y,z"]}, END, f"CATEGORIES:x,y\\,z\r\n{END}", id="groups"),
    ],
)
def test_change_preserves_other_lines(fields: dict[str, Any], old: str, new: str) -> None:
    """All other bytes of a vCard 4 stay as the other program wrote them."""
    assert OTHERS_4.count(old) == 1
    assert vcard.change(OTHERS_4, validate_contact(fields)) == OTHERS_4.replace(old, new)


@pytest.mark.parametrize(
    ("fields", "old", "new"),
    [
        pytest.param(
            {"email": "a@example.org"},
            "EMAIL;TYPE=INTERNET;TYPE=HOME,pref:ann@example.org\r\n",
            "",
            id="one address less, the other with its label",
        ),
        pytest.param(
            {"categories": ["a"]}, "CATEGORIES:a,b\r\nCATEGORIES:c\r\n", "CATEGORIES:a\r\n", id="groups of two lines"
        ),
        pytest.param(
            {"members": ["m1", "m2"]}, MEMBER, MEMBER + MEMBER.replace("m1", "m2"), id="one more member of a group"
        ),
        pytest.param({"bday": "1980-01-02"}, BDAY, "BDAY:1980-01-02", id="a birthday"),
        pytest.param({"kind": "org"}, "X-ADDRESSBOOKSERVER-KIND:group", "X-ABSHOWAS:COMPANY", id="an organization"),
    ],
)
def test_change_of_vcard_3_stays_vcard_3(fields: dict[str, Any], old: str, new: str) -> None:
    """Properties new in vCard 4 use the names of Apple's and Nextcloud's clients."""
    assert OTHERS_3.count(old) == 1
    assert vcard.change(OTHERS_3, validate_contact(fields)) == OTHERS_3.replace(old, new)


def test_derived_name_parts_follow_fn() -> None:
    """Phones that show the structured name show the new name."""
    changed = vcard.change(OTHERS_4, validate_contact({"fn": "Ann Smith"}))
    parts = 'N;SORT-AS="Example,Ann":Example;Ann;;;'
    assert changed == OTHERS_4.replace("FN;LANGUAGE=en:Ann Example", "FN:Ann Smith").replace(parts, "N:Smith;Ann;;;")


def test_explicit_name_parts_are_kept() -> None:
    """Explicit name parts are not replaced by derived ones, unless they are passed."""
    text = card("FN:Ann van Dyk", "N:van Dyk;Ann;;;")
    assert "N:van Dyk;Ann;;;" in vcard.change(text, validate_contact({"fn": "Ann van der Dyk"}))
    assert "N:Dyk;Ann;;;" in vcard.change(
        text, validate_contact({"fn": "Ann Dyk", "n": {"family": "Dyk", "given": "Ann"}})
    )


def test_birthday_without_year_in_vcard_3() -> None:
    """The birthday is written as Apple's and Nextcloud's clients write it."""
    changed = vcard.change(card("FN:X", version="3.0"), validate_contact({"bday": "--12-24"}))
    assert "BDAY;X-APPLE-OMIT-YEAR=1604:1604-12-24\r\n" in changed
    assert said(changed)["bday"] == "--12-24"


def test_rev_is_updated() -> None:
    """A card that has REV gets the current time."""
    changed = vcard.change(card("FN:X", "REV:19990101T000000Z"), validate_contact({"note": "x"}))
    assert "19990101" not in changed
    assert changed.count("REV:2") == 1


@pytest.mark.parametrize("version", ["2.1", ""])
def test_vcard_2_1_is_refused(version: str) -> None:
    """The syntax of vCard 2.1 differs, so a change would damage the card."""
    with pytest.raises(NextcloudError, match="change it in Nextcloud Contacts"):
        vcard.change(card("FN:X", version=version), validate_contact({"note": "x"}))


def test_alternative_forms_are_read() -> None:
    """Alternative spellings of other programs are read as the same values."""
    text = card(
        "fn:Ann",
        "TEL;HOME;VOICE:1",
        "BDAY:circa 1800",
        "X-ABSHOWAS:COMPANY",
        "ORG:A;;B",
        "URL:https://x.org/?a\\,b",
        "UID:urn:uuid:1",
    ).replace("\r\n", "\n")
    assert said(text) == {
        "fn": "Ann",
        "tel": [{"value": "1", "type": ["home", "voice"]}],
        "bday": "circa 1800",
        "kind": "org",
        "org": ["A", "", "B"],
        "url": [{"value": "https://x.org/?a,b"}],
    }
    assert vcard.uid_of(text) == "urn:uuid:1"
    assert vcard.uid_of("no card") == ""


ANY_TEXT: Final = st.text(alphabet=st.characters(exclude_categories=[]), max_size=12)
ENDS_A_LINE: Final = st.sampled_from(
    ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0", "\ud800"]
)
HOSTILE: Final = st.one_of(ANY_TEXT, st.builds("x{}TEL:+1666".format, ENDS_A_LINE), st.just('x";TEL=a:b'))
TYPED: Final = st.one_of(
    HOSTILE, st.fixed_dictionaries({"value": HOSTILE}, optional={"type": st.lists(HOSTILE, max_size=2)})
)
FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    **dict.fromkeys(("fn", "title", "role", "bday", "note", "kind"), HOSTILE),
    **dict.fromkeys(("nickname", "org", "categories", "members"), st.lists(HOSTILE, max_size=3)),
    **dict.fromkeys(("email", "tel", "url"), st.lists(TYPED, max_size=2)),
    "n": st.dictionaries(st.sampled_from(["family", "given", "additional", "prefix", "suffix"]), HOSTILE),
    "adr": st.lists(
        st.dictionaries(st.sampled_from(["po_box", "extended", "street", "city", "type"]), HOSTILE), max_size=2
    ),
}


def test_injection_test_covers_every_field() -> None:
    """The property below covers all fields of a contact."""
    assert FIELDS.keys() == ContactData.model_fields.keys()


@given(field=st.sampled_from(sorted(FIELDS)), data=st.data(), version=st.sampled_from(["3.0", "4.0"]))
def test_field_can_not_inject_another_line(field: str, data: st.DataObject, version: str) -> None:
    """Whatever a field contains, the card gets lines of that field only, for every kind of line end."""
    text = card("FN:X", "N:X;;;;", version=version)
    try:
        changed = vcard.change(text, validate_contact({field: data.draw(FIELDS[field])}))
    except InvalidArgumentError:
        return
    changed.encode()
    lines = changed.replace("\r\n ", "").splitlines()
    own = next(each.names for each in properties.FIELDS if each.key == field)
    names = {line.partition(":")[0].partition(";")[0] for line in lines}
    assert names <= {"BEGIN", "VERSION", "FN", "N", "END", *own}
    assert sum(line.startswith(("BEGIN:", "VERSION:", "END:")) for line in lines) == 3


@pytest.mark.parametrize("member", ["x\nTEL:+1666", "x\r\nTEL:+1666", "x\rTEL:+1666"])
def test_member_with_line_end_is_refused(member: str) -> None:
    """A UID is written without escaping, so line ends are refused."""
    with pytest.raises(InvalidArgumentError, match="line end"):
        vcard.change(card("FN:X"), validate_contact({"members": [member]}))


HOSTILE_CARDS: Final = {
    "parameters without a colon": lambda n: card("FN:X", "X-A" + ";A" * n),
    "many parameters": lambda n: card("FN:X", "X-A" + ";A=b" * n + ":x"),
    "many values": lambda n: card("FN:X", "X-A;A=" + "b," * n + ":x"),
    "open quotation marks": lambda n: card("FN:X", 'X-A;A="a",' + '"' * n),
    "one long name": lambda n: card("FN:X", "N:" + ";" * n),
    "backslashes": lambda n: card("FN:X", "NOTE:" + "\\" * n),
    "folds": lambda n: card("FN:X", "NOTE:a" + "\r\n b" * n),
    "empty lines": lambda n: card("FN:X", "\r\n" * n),
    "carriage returns": lambda n: card("FN:X", "\r" * n),
    "many lines": lambda n: card("FN:X", *["TEL:1"] * n),
    "many groups": lambda n: card("FN:X", *[f"i{i}.TEL:{i}\r\ni{i}.X-ABLabel:x" for i in range(n // 4)]),
}


def read_and_change(kind: str) -> list[float]:
    """Return the CPU seconds that a card of this kind takes, and one that is twice as long."""
    took = []
    for length in (20_000, 40_000):
        text = HOSTILE_CARDS[kind](length)
        began = time.process_time()
        vcard.uid_of(text)
        vcard.read(text)
        try:
            vcard.change(text, validate_contact({"tel": [str(number) for number in range(1000)], "note": "new"}))
        except NextcloudError as error:
            assert "10000 lines or more" in str(error)  # noqa: PT017
        took.append(time.process_time() - began)
    return took


@pytest.mark.parametrize("kind", HOSTILE_CARDS)
def test_card_takes_linear_time(kind: str) -> None:
    """A card twice as long takes about twice as long to read and change, whatever it contains."""
    first, second = killable.run(read_and_change, kind)
    assert second < 4 * first + 0.5


def test_malformed_line_is_kept() -> None:
    """A line that can't be parsed, such as 60 parameters without a colon, stays byte for byte."""
    text = card("FN:X", "X-A" + ";A" * 60)
    assert vcard.change(text, validate_contact({"fn": "Y"})) == text.replace("FN:X", "FN:Y")
