"""`nextcloud.dav`: helpers that files, calendars and contacts share."""

from xml.etree.ElementTree import Element

import httpx
import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from nextcloud_mcp.errors import InvalidArgumentError, NextcloudUnavailableError
from nextcloud_mcp.nextcloud import dav
from tests.support.nextcloud import dav_folder, multistatus


@pytest.mark.parametrize("value", ["e1", '"e1"', 'W/"e1"', '"e1-gzip"'])
def test_etag_is_accepted_in_every_form(value: str) -> None:
    """ETags are accepted as this server or HTTP shows them, and sent to Nextcloud in their original form."""
    assert (dav.unquoted(value), dav.quoted(value)) == ("e1", '"e1"')


@pytest.mark.parametrize("value", ["", None])
def test_missing_etag_matches_nothing(value: str | None) -> None:
    """If an ETag has to be sent and there is none, an empty one is sent, which matches nothing."""
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
def test_invalid_etag_is_refused(value: str) -> None:
    """It is not written to a header."""
    with pytest.raises(InvalidArgumentError, match="Invalid etag"):
        dav.quoted(value)


@given(value=st.text(alphabet=st.characters(exclude_categories=[]), max_size=20))
def test_etag_header_has_one_valid_entity_tag(value: str) -> None:
    """Whatever a caller passes, the header has one entity-tag of RFC 9110 and no closing bracket."""
    try:
        tag = dav.quoted(value)
    except InvalidArgumentError:
        return
    assert tag[0] == tag[-1] == '"'
    assert tag != '"*"'
    assert all("!" <= character <= "~" and character not in '"[]\\' for character in tag[1:-1])


@given(value=st.text(alphabet=st.characters(exclude_categories=[]), max_size=20))
def test_text_is_escaped_in_xml(value: str) -> None:
    """Any text either leaves the elements of the XML body unchanged or is refused."""
    document = Element("a")
    document.text = value
    try:
        read = fromstring(dav.body(document))
    except InvalidArgumentError:
        return
    assert list(read) == []
    assert (read.text or "") == value.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("character", ["\0", "\x0b", "\x1b", "\ud800", "\uffff"])
def test_character_invalid_in_xml_is_refused(character: str) -> None:
    """The document would be invalid, and Nextcloud's error would not name the argument."""
    document = Element("a")
    document.text = character
    with pytest.raises(InvalidArgumentError, match="control character"):
        dav.body(document)


@pytest.mark.parametrize("href", ["/dav/a%20b/", "/dav/a%20b", "https://cloud.test/dav/a%20b/"])
def test_name_is_last_path_segment(href: str) -> None:
    """With or without a trailing slash, in a path or an absolute URL (RFC 4918 section 8.3)."""
    (response,) = fromstring(multistatus(dav_folder(href)))
    assert dav.last_part(response) == "a b"


_PLAIN = '<d:multistatus xmlns:d="DAV:"><d:response>{}</d:response></d:multistatus>'
_WITH_DTD = '<!DOCTYPE a [<!ENTITY e "expanded">]>' + _PLAIN.format("&e;")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(_WITH_DTD.encode(), id="UTF-8"),
        pytest.param(b"\xef\xbb\xbf" + _WITH_DTD.encode(), id="UTF-8 with a byte order mark"),
        pytest.param(f'<?xml version="1.0" encoding="UTF-16"?>{_WITH_DTD}'.encode("utf-16"), id="UTF-16"),
        pytest.param(_WITH_DTD.encode("utf-16"), id="UTF-16, not declared"),
        pytest.param(f"<?xml version='1.0' encoding='ISO-8859-1'?>{_WITH_DTD}".encode(), id="Latin-1"),
        pytest.param(f"<?xml version='1.0'?><!-- a -->\n{_WITH_DTD}".encode(), id="after a comment"),
    ],
)
def test_entities_are_refused_in_every_encoding(content: bytes) -> None:
    """A document that declares an entity is not read, neither at once nor element by element."""
    answer = httpx.Response(207, content=content)
    with pytest.raises(NextcloudUnavailableError):
        dav.matches(answer)
    with pytest.raises(NextcloudUnavailableError):
        list(dav.each_response(answer))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(_PLAIN.format("&#228;").encode(), id="without a declaration"),
        pytest.param(f'<?xml version="1.0" encoding="utf-8"?>{_PLAIN.format("ä")}'.encode(), id="UTF-8"),
        pytest.param(
            f'<?xml version="1.0" encoding="ISO-8859-1"?>{_PLAIN.format("ä")}'.encode("latin-1"), id="Latin-1"
        ),
        pytest.param(f'<?xml version="1.0" encoding="UTF-16"?>{_PLAIN.format("ä")}'.encode("utf-16"), id="UTF-16"),
        pytest.param(_PLAIN.format("ä<![CDATA[<!DOCTYPE]]>").encode(), id="the word as text"),
    ],
)
def test_document_is_read_in_every_encoding(content: bytes) -> None:
    """A document without entities is read as its declaration says, whichever parser reads it."""
    answer = httpx.Response(207, content=content)
    (element,) = dav.matches(answer)
    assert (element.text or "").startswith("ä")
    assert [(each.text or "")[:1] for each in dav.each_response(answer)] == ["ä"]
