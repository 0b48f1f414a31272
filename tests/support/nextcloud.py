"""A fake Nextcloud for unit tests, with the responses that a test sets, which records its requests."""

from typing import Any, Final

import httpx

from nextcloud_mcp.nextcloud.account_cache import Account, AccountCache
from tests.support.issuer import Answer, answer

URL: Final = "https://cloud.test"
ALICE: Final[Account] = ("https://issuer.test", "sub-of-alice", "sub-of-alice")
USER_PATH: Final = "/ocs/v2.php/cloud/user"
CAPABILITIES_PATH: Final = "/ocs/v2.php/cloud/capabilities"
APPS: Final = (
    *("core", "files", "dav", "files_sharing", "notes", "deck", "tables", "cookbook"),
    *("activity", "notifications"),
)
FILES: Final = "/remote.php/dav/files/alice"
SHARES: Final = "/ocs/v2.php/apps/files_sharing/api/v1/shares"
SHAREES: Final = "/ocs/v2.php/apps/files_sharing/api/v1/sharees"
NOTES: Final = "/index.php/apps/notes/api/v1/notes"
NOTE_PATH: Final = "/Notes/Work/Plans.md"
"""The path of the file of `note`."""


def ocs_user(user_id: str, displayname: str = "Alice Liddell", **fields: str) -> Answer:
    """Return a handler with a shortened response of OCS `/cloud/user`, with more fields."""
    data = {"enabled": True, "id": user_id, "quota": {"used": 7}, "email": None, "displayname": displayname, **fields}
    return answer(json={"ocs": {"meta": {"status": "ok", "statuscode": 200, "message": "OK"}, "data": data}})


def ocs(data: Any, status: int = 200, message: str = "OK") -> Answer:
    """Return a handler with a response of OCS version 2."""
    good = status == 200
    meta = {"status": "ok" if good else "failure", "statuscode": status, "message": message}
    return answer(status, json={"ocs": {"meta": meta, "data": data}})


def sharees(**users: str) -> Answer:
    """Return a handler with the response to a recipient search with exact matches (user id=display name)."""
    found = [{"label": label, "value": {"shareType": 0, "shareWith": user}} for user, label in users.items()]
    return ocs({"exact": {"users": found, "groups": []}, "users": [], "groups": []})


def ocs_capabilities(*apps: str) -> Answer:
    """Return a handler with a response of OCS `/cloud/capabilities`, with only the names of these apps."""
    return ocs({"version": {"major": 32}, "capabilities": {app: {} for app in apps}})


def accounts_with(*accounts: Account) -> AccountCache:
    """Return a cache that only knows that these accounts exist."""
    cache = AccountCache()
    for account in accounts:
        cache.creation.note(account)
    return cache


class FakeNextcloud:
    """A fake Nextcloud that answers by method and path (percent-encoded, without the query).

    A request without a response fails the test.

    Attributes:
        requests: All requests, in order.
    """

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._answers: dict[tuple[str, str], list[Answer]] = {}
        self.on("GET", USER_PATH, ocs_user("alice"))
        self.on("GET", CAPABILITIES_PATH, ocs_capabilities(*APPS))
        self.on("GET", SHARES, ocs([]))  # nobody shares anything with alice
        self.on("GET", f"{NOTES}/7", answer(json=note()))
        self.on("PROPFIND", f"{FILES}{NOTE_PATH}", propfind(dav_file(f"{FILES}{NOTE_PATH}")))
        self.on("GET", "/status.php", answer(json={"installed": True, "maintenance": False, "version": "32.0.1.2"}))

    @property
    def transport(self) -> httpx.MockTransport:
        """An httpx transport that sends every request to this Nextcloud."""
        return httpx.MockTransport(self._handle)

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Set the responses to a request: each is used once, and the last one from then on."""
        self._answers[method, path] = list(answers)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Return the response to a request without recording the request."""
        return self._answers[request.method, request.url.raw_path.decode()][0](request)

    def asked(self, method: str | None = None) -> list[str]:
        """Return the requests so far as `METHOD path`, without those for the user's id, apps and received shares."""
        return [
            f"{request.method} {request.url.raw_path.decode()}"
            for request in self.requests
            if request.url.path not in {USER_PATH, CAPABILITIES_PATH}
            and request.url.params.get("shared_with_me") != "true"
            and method in {None, request.method}
        ]

    def tokens(self) -> list[str]:
        """Return the bearer token of each request."""
        return [request.headers["Authorization"].removeprefix("Bearer ") for request in self.requests]

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.raw_path.decode().partition("?")[0]
        answers = self._answers.get((request.method, path))
        assert answers, f"nobody foresaw {request.method} {path}"
        return (answers.pop(0) if len(answers) > 1 else answers[0])(request)


def dav_error(exception: str, message: str = "") -> str:
    """Return the body of a WebDAV error of Nextcloud's."""
    return (
        '<?xml version="1.0"?><d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns">\n'
        f"  <s:exception>{exception}</s:exception>\n  <s:message>{message}</s:message>\n</d:error>"
    )


def note(**changes: Any) -> dict[str, Any]:
    """Return a note as in Notes 4.12; `changes` override the default fields."""
    return {
        "id": 7,
        "title": "Plans",
        "modified": 1700000000,
        "category": "Work",
        "favorite": False,
        "readonly": False,
        "internalPath": NOTE_PATH,
        "shareTypes": [],
        "isShared": False,
        "error": False,
        "errorType": "",
        "content": "# Plans",
        "etag": "49582d0c",
    } | changes


def share(**changes: Any) -> dict[str, Any]:
    """Return a shortened share as in Nextcloud 32; `changes` override the default fields."""
    return {
        "id": "5",
        "share_type": 0,
        "uid_owner": "alice",
        "displayname_owner": "Alice Liddell",
        "permissions": 1,
        "can_edit": True,
        "can_delete": True,
        "stime": 1795448264,
        "expiration": None,
        "token": None,
        "note": "",
        "label": "",
        "path": "/d/a.txt",
        "item_type": "file",
        "mimetype": "text/plain",
        "file_target": "/a.txt",
        "share_with": "bob",
        "share_with_displayname": "Bob Builder",
        "mail_send": 1,
        "attributes": None,
    } | changes


def multistatus(*responses: str) -> bytes:
    """Return a WebDAV multistatus (RFC 4918 section 13) with these responses."""
    namespaces = 'xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"'
    return f'<?xml version="1.0"?><d:multistatus {namespaces}>{"".join(responses)}</d:multistatus>'.encode()


def propfind(*responses: str) -> Answer:
    """Answer a PROPFIND with these responses."""
    return answer(207, content=multistatus(*responses), headers={"Content-Type": "application/xml; charset=utf-8"})


OWNED_BY_BOB: Final = (
    "<d:owner><d:href>/remote.php/dav/principals/users/bob/</d:href></d:owner>"
    '<x1:owner-displayname xmlns:x1="http://nextcloud.com/ns">Bob Example</x1:owner-displayname>'
)
"""The owner properties of bob's calendar or address book, as in Nextcloud 34.0.1."""


def dav_file(
    href: str, *, size: int = 6, etag: str = "68a55c7c", content_type: str = "text/plain", more: str = ""
) -> str:
    """Return the `d:response` of a file with `more` properties, as in Nextcloud 32."""
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>"
        f"<d:resourcetype/><d:getcontentlength>{size}</d:getcontentlength>"
        f"<d:getcontenttype>{content_type}</d:getcontenttype>"
        "<d:getlastmodified>Mon, 23 Nov 2026 14:56:41 GMT</d:getlastmodified>"
        f"<d:getetag>&quot;{etag}&quot;</d:getetag>"
        f"<oc:size>{size}</oc:size><oc:fileid>73</oc:fileid><oc:favorite>1</oc:favorite>{more}"
        "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def dav_shared(permissions: str, *, bits: int = 0, is_root: bool = False, mount: str = "shared") -> str:
    """Return the properties of what Bob Example shared, or what is mounted otherwise, as in Nextcloud 34."""
    owner = "<oc:owner-id>bob</oc:owner-id><oc:owner-display-name>Bob Example</oc:owner-display-name>"
    own = "<oc:owner-id>alice</oc:owner-id><oc:owner-display-name>Alice</oc:owner-display-name>"
    return (
        f"<oc:permissions>{permissions}</oc:permissions>{owner if mount == 'shared' else own}"
        f"<nc:mount-type>{mount}</nc:mount-type><nc:is-mount-root>{'true' if is_root else 'false'}</nc:is-mount-root>"
        '<x1:share-permissions xmlns:x1="http://open-collaboration-services.org/ns">'
        f"{bits}</x1:share-permissions>"
    )


def dav_locked(*, kind: int = 0, timeout: int = -60) -> str:
    """Return the properties of a lock that Bob Example holds, as files_lock 34 gives them."""
    return (
        "<nc:lock>1</nc:lock><nc:lock-owner>bob</nc:lock-owner>"
        "<nc:lock-owner-displayname>Bob Example</nc:lock-owner-displayname>"
        f"<nc:lock-owner-type>{kind}</nc:lock-owner-type>"
        f"<nc:lock-time>1795869669</nc:lock-time><nc:lock-timeout>{timeout}</nc:lock-timeout>"
    )


def dav_trashed(href: str, location: str, second: int, *, is_folder: bool = False) -> str:
    """Return the `d:response` of an item in the trash, as in Nextcloud 32."""
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>"
        f"<d:resourcetype>{'<d:collection/>' * is_folder}</d:resourcetype><oc:size>7</oc:size><oc:fileid>91</oc:fileid>"
        f"<nc:trashbin-filename>{location.rpartition('/')[2]}</nc:trashbin-filename>"
        f"<nc:trashbin-original-location>{location}</nc:trashbin-original-location>"
        f"<nc:trashbin-deletion-time>{second}</nc:trashbin-deletion-time>"
        "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def dav_folder(href: str, *, size: int = 20, more: str = "") -> str:
    """Return the `d:response` of a folder with `more` properties, as in Nextcloud 32.

    A second propstat has the missing properties.
    """
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop>"
        "<d:resourcetype><d:collection/></d:resourcetype>"
        "<d:getlastmodified>Mon, 23 Nov 2026 14:54:43 GMT</d:getlastmodified>"
        "<d:getetag>&quot;6b0453b3d9ff8&quot;</d:getetag>"
        f"<oc:size>{size}</oc:size><oc:fileid>2</oc:fileid><oc:favorite>0</oc:favorite>{more}"
        "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
        "<d:propstat><d:prop><d:getcontentlength/><d:getcontenttype/></d:prop>"
        "<d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>"
    )
