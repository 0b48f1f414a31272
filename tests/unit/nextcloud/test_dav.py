"""`nextcloud.dav`: what files, calendars and contacts share."""

from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from nextcloud_mcp.errors import InvalidArgumentError
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


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("*", id="any"),
        pytest.param('"*"', id="any, in quotes"),
        pytest.param('x"]) (Not ["y', id="the end of a condition"),
        pytest.param("x])([])", id="the end of a condition, of characters that RFC 9110 allows"),
        pytest.param('a", "b', id="two"),
        pytest.param("a b", id="a blank"),
        pytest.param("a\r\nX: y", id="a line end"),
        pytest.param("a\\", id="a backslash"),
        pytest.param("ä", id="not ASCII"),
        pytest.param("\ud800", id="a lone surrogate"),
    ],
)
def test_what_is_not_an_etag_is_refused(value: str) -> None:
    """It gets into no header."""
    with pytest.raises(InvalidArgumentError, match="Invalid etag"):
        dav.quoted(value)


@given(value=st.text(alphabet=st.characters(exclude_categories=[]), max_size=20))
def test_an_etag_is_one_tag_for_every_reader(value: str) -> None:
    """Whatever a caller passes, a header has one entity-tag of RFC 9110's grammar, and no bracket that ends it."""
    try:
        tag = dav.quoted(value)
    except InvalidArgumentError:
        return
    assert tag[0] == tag[-1] == '"'
    assert tag != '"*"'
    assert all("!" <= character <= "~" and character not in '"[]\\' for character in tag[1:-1])


@given(value=st.text(alphabet=st.characters(exclude_categories=[]), max_size=20))
def test_a_text_stays_a_text_in_xml(value: str) -> None:
    """Whatever it contains, a body is XML with the same elements and the same text, or is refused."""
    document = Element("a")
    document.text = value
    try:
        read = fromstring(dav.body(document))
    except InvalidArgumentError:
        return
    assert list(read) == []
    assert (read.text or "") == value.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("character", ["\0", "\x0b", "\x1b", "\ud800", "\uffff"])
def test_what_xml_does_not_allow_is_refused(character: str) -> None:
    """It would make the document unreadable, and Nextcloud's error says nothing about the argument."""
    document = Element("a")
    document.text = character
    with pytest.raises(InvalidArgumentError, match="control character"):
        dav.body(document)


@pytest.mark.parametrize("href", ["/dav/a%20b/", "/dav/a%20b", "https://cloud.test/dav/a%20b/"])
def test_an_address_ends_in_a_name(href: str) -> None:
    """With or without a slash, a path or a whole URL (RFC 4918 section 8.3)."""
    (response,) = fromstring(multistatus(dav_folder(href)))
    assert dav.last_part(response) == "a b"
