"""`apps.calendar.ical.attendees`: names and addresses, and attendees that others invited."""

import pytest

from nextcloud_mcp.apps.calendar.ical.event_changes import Change, changed
from nextcloud_mcp.apps.calendar.ical.series import Series
from nextcloud_mcp.errors import InvalidArgumentError
from tests.support.event_changes import ALICE, changed_lines
from tests.support.ics import EXCHANGE, THUNDERBIRD, ics, stored


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ('"Doe, Jane" <jane@example.org>', '"Doe, Jane"', "jane@example.org"),
        ("Jane Doe <mailto:jane@example.org>", '"Jane Doe"', "jane@example.org"),
        ('"Jane \\"JD\\" Doe" <jane@example.org>', "\"Jane 'JD' Doe\"", "jane@example.org"),
        ('"O\'Neill; Bob: 1st" <bob@example.org>', '"O\'Neill; Bob: 1st"', "bob@example.org"),
        ("<jane@example.org>", None, "jane@example.org"),
    ],
)
def test_attendee_name_becomes_cn(written: str, name: str | None, address: str) -> None:
    """The name of an RFC 5322 address becomes the parameter CN, quoted where RFC 5545 requires it."""
    gone, come = changed_lines(ics("DTSTART:20301007T080000Z"), attendees=f"a@example.org, {written},b@example.org")
    added = {"mailto:" + line.rpartition(":mailto:")[2]: line for line in come if line.startswith("ATTENDEE")}
    assert list(gone) == []
    assert sorted(added) == sorted(f"mailto:{each}" for each in ("a@example.org", address, "b@example.org"))
    assert ("CN=" in added[f"mailto:{address}"]) is (name is not None)
    assert name is None or f";CN={name};" in added[f"mailto:{address}"]
    series = Series(stored(ics("DTSTART:20301007T080000Z", f"ATTENDEE;CN=J:mailto:{address}")))
    assert f"ATTENDEE;CN=J:mailto:{address}" in changed(series, Change(attendees=f"{written}, c@d"), ALICE)


@pytest.mark.parametrize("uri", ["CN=Doe, Jane,OU=Sales", 'mailto:"Doe, Jane"@example.org', "mailto:doe,jane@x.org"])
def test_attendee_with_comma_is_kept_when_adding(uri: str) -> None:
    """Adding an attendee keeps one whose value contains a comma and is no mail address."""
    series = Series(stored(ics("DTSTART:20301007T080000Z", f"ATTENDEE:{uri}", "ATTENDEE:mailto:a@b.org")))
    told = series.event(series.main).attendees
    lines = changed(series, Change(attendees=f"{told}, new@example.org"), ALICE).replace("\r\n ", "").splitlines()
    kept = [line.partition(":")[2] for line in lines if line.startswith("ATTENDEE")]
    assert kept == [uri, "mailto:a@b.org", "mailto:new@example.org"]


def test_attendee_without_address_is_kept_when_adding() -> None:
    """An attendee without a mail address does not prevent adding others."""
    told = "invalid:nomail, invalid:nomail, Bob@Example.org"
    gone, come = changed_lines(EXCHANGE, attendees=f"{told}, new@example.org")
    assert (gone, len(come)) == (set(), 1)
    gone, come = changed_lines(EXCHANGE, attendees="invalid:nomail")
    assert ([line.rpartition("=")[2] for line in gone], come) == (["Bob:MAILTO:Bob@Example.org"], set())
    with pytest.raises(InvalidArgumentError, match="Invalid mail address 'invalid:nomail'"):
        changed_lines(THUNDERBIRD, attendees="invalid:nomail")
