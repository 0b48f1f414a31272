"""Errors as sabre/dav, Nextcloud's WebDAV library, words them.

https://sabre.io/dav/error-messages/: `s:exception` names a PHP class, `s:message` is for people.
Clients tell refusals apart by both, so the stand-in gives the ones that were recorded from Nextcloud 32.
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
    """The XML body of a refused WebDAV request.

    `header` names the failed condition of a 412, `exception` a class that is not sabre/dav's.
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
    """What sabre/dav says when `If-Match` does not hold for what has this ETag, in quotes; None when it holds.

    `*` alone stands for any; in a list, or in quotes, it is an ETag like others. A weak one matches nothing.
    """
    if etag is None:
        return NOTHING_THERE
    return None if header == "*" or etag in [each.strip(" ") for each in header.split(",")] else NO_MATCH
