"""`nextcloud.dav`: what files, calendars and contacts share."""

import pytest
from defusedxml.ElementTree import fromstring

from nextcloud_mcp.nextcloud import dav
from tests.support.nextcloud import dav_folder, multistatus


@pytest.mark.parametrize("value", ["e1", '"e1"', 'W/"e1"', '"e1-gzip"'])
def test_an_etag_is_taken_in_every_form(value: str) -> None:
    """Callers hand back what they were shown, by us or by HTTP; Nextcloud gets it as it was."""
    assert (dav.unquoted(value), dav.quoted(value)) == ("e1", '"e1"')


@pytest.mark.parametrize("value", ["", None])
def test_no_etag_matches_nothing(value: str | None) -> None:
    """Where it is to be sent there is one, of nothing that exists."""
    assert dav.quoted(value) == '""'


@pytest.mark.parametrize("href", ["/dav/a%20b/", "/dav/a%20b", "https://cloud.test/dav/a%20b/"])
def test_an_address_ends_in_a_name(href: str) -> None:
    """With or without a slash, a path or a whole URL (RFC 4918 section 8.3)."""
    (response,) = fromstring(multistatus(dav_folder(href)))
    assert dav.last_part(response) == "a b"
