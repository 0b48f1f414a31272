"""Error responses of sabre/dav, Nextcloud's WebDAV library.

https://sabre.io/dav/error-messages/: `s:exception` names a PHP class, `s:message` is a text for users.
Clients use both to distinguish errors, so the stand-in returns those that were recorded from Nextcloud 32.
"""

from xml.sax.saxutils import escape

EXCEPTIONS = {
    400: "BadRequest",
    401: "NotAuthenticated",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    412: "PreconditionFailed",
    415: "UnsupportedMediaType",
    416: "RequestedRangeNotSatisfiable",
    501: "NotImplemented",
}
MEDIA_TYPE = "application/xml; charset=utf-8"

NO_MATCH = "An If-Match header was specified, but none of the specified ETags matched."
NOTHING_THERE = "An If-Match header was specified and the resource did not exist"

NOT_AUTHENTICATED = "No public access to this resource., Bearer token was incorrect"


def error_body(status: int, message: str, header: str | None = None, exception: str = "") -> bytes:
    """Return the XML body of a WebDAV error response.

    `header` is the failed condition of a 412; `exception` is a class that is not sabre/dav's.
    """
    suffix = EXCEPTIONS.get(status)
    exception = exception or (f"Sabre\\DAV\\Exception\\{suffix}" if suffix else "Sabre\\DAV\\Exception")
    extra = f"  <s:header>{header}</s:header>\n" if header else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns">\n'
        f"  <s:exception>{exception}</s:exception>\n"
        f"  <s:message>{escape(message)}</s:message>\n"
        f"{extra}</d:error>\n"
    ).encode()


def if_match(header: str, etag: str | None) -> str | None:
    """Return sabre/dav's message if `If-Match` does not match a resource's quoted ETag, or None if it matches.

    `*` matches any ETag if it is the whole header; in a list or in quotes, it is an ordinary ETag. A weak ETag never
    matches.
    """
    if etag is None:
        return NOTHING_THERE
    return None if header == "*" or etag in [each.strip(" ") for each in header.split(",")] else NO_MATCH
