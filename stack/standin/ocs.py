"""`status.php`, and OCS: the caller and the capabilities.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/OCS/ocs-api-overview.html
OCS wraps every response in `{"ocs": {"meta", "data"}}`, as XML unless the caller asks for JSON. The `statuscode` of a
success is 100 in version 1, and 200 in version 2.
"""

from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stack.standin.gate import AppPasswords, account_or_none
from stack.standin.releases import Release
from stack.standin.tree import Tree, size

NAME = "Nextcloud stand-in"
NOT_LOGGED_IN = "Current user is not logged in"
_UNKNOWN = "Invalid query, please check the syntax."
_THEMING = {
    "name": NAME,
    "productName": NAME,
    "url": "https://nextcloud.com",
    "slogan": "plays Nextcloud where there is none",
    "color": "#00679e",
}
_CAPABILITIES: dict[str, dict[str, Any]] = {
    "core": {"pollinterval": 60, "webdav-root": "remote.php/webdav", "mod-rewrite-working": False},
    "files": {"forbidden_filename_characters": ["\\", "/"], "bigfilechunking": True, "undelete": True},
    "dav": {"chunking": "1.0"},
    "notes": {"api_version": ["0.2", "1.3", "1.4"], "notes_path": "Notes"},
    "files_sharing": {"api_enabled": True, "default_permissions": 31, "public": {"enabled": True}},
    "deck": {"canCreateBoards": True, "apiVersions": ["1.0", "1.1"]},
    "tables": {"enabled": True, "apiVersions": ["1.0"]},
    "cookbook": {"api-version": {"epoch": 0, "major": 1, "minor": 2}, "version": [0, 11, 9]},
    "activity": {"apiv2": ["filters", "filters-api", "previews", "rich-strings"]},
    "notifications": {
        "ocs-endpoints": ["list", "get", "delete", "rich-strings", "test-push"],
        "push": ["devices", "object-data", "delete"],
    },
    "theming": _THEMING,
}
_LOCKS = {"locking": "1.0", "api-feature-lock-type": True}


def routes(tree: Tree, app_passwords: AppPasswords, release: Release) -> list[Route]:
    """Return the routes of `/status.php`, and of OCS in both versions."""

    async def status(request: Request) -> Response:
        del request
        return _status(release)

    async def capabilities(request: Request) -> Response:
        return _capabilities(request, release)

    async def user(request: Request) -> Response:
        return _user(request, tree)

    async def revoke(request: Request) -> Response:
        account = account_or_none(request.scope)
        if account is None:
            return envelope(request, 997, NOT_LOGGED_IN, [])
        app_passwords.revoke(account.user)
        return envelope(request, 200, "OK", [])

    return [
        Route("/status.php", status),
        Route("/ocs/{version}.php/cloud/user", user),
        Route("/ocs/{version}.php/cloud/capabilities", capabilities),
        Route("/ocs/{version}.php/core/apppassword", revoke, methods=["DELETE"]),
        Route("/ocs/{path:path}", _unknown, methods=["GET", "POST", "PUT", "DELETE"]),
    ]


def _status(release: Release) -> Response:
    return JSONResponse(
        {
            "installed": True,
            "maintenance": False,
            "needsDbUpgrade": False,
            "version": f"{release.version}.2",
            "versionstring": _shown(release.version),
            "edition": "",
            "productname": NAME,
            "extendedSupport": False,
        }
    )


def _user(request: Request, tree: Tree) -> Response:
    account = account_or_none(request.scope)
    if account is None:
        return envelope(request, 997, NOT_LOGGED_IN, [])
    quota = {"free": -3, "used": size(tree.home(account.user)), "total": -3, "relative": 0, "quota": -3}
    data = {
        "enabled": True,
        "id": account.user,
        "backend": "user_oidc",
        "subadmin": [],
        "quota": quota,
        "email": account.email,
        "displayname": account.display_name,
        "display-name": account.display_name,
        "groups": [],
        "language": "en",
        "locale": "",
        "timezone": "",
        "backendCapabilities": {"setDisplayName": False, "setPassword": False},
    }
    return envelope(request, 200, "OK", data)


def _shown(version: str) -> str:
    """Return a version as the stand-in's."""
    return f"{version} stand-in"


def _capabilities(request: Request, release: Release) -> Response:
    # anonymous callers get few capabilities; a bearer token, even an invalid one, replaces the header
    bearer = request.headers.get("authorization", "").lower().startswith("bearer ")
    if not bearer and request.headers.get("ocs-apirequest") != "true":
        return JSONResponse({"message": "CSRF check failed"}, 412)
    signed_in = account_or_none(request.scope) is not None
    capabilities = _capabilities_of(release) if signed_in else {"theming": _THEMING}
    major, minor, micro = map(int, release.version.split("."))
    version = {"major": major, "minor": minor, "micro": micro, "string": _shown(release.version)}
    data = {"version": version | {"edition": "", "extendedSupport": False}, "capabilities": capabilities}
    return envelope(request, 200, "OK", data)


def _capabilities_of(release: Release) -> dict[str, Any]:
    versions = {app: _CAPABILITIES[app] | {"version": _shown(version)} for app, version in release.apps.items()}
    files = _CAPABILITIES["files"] | (_LOCKS if release.has_locks else {})
    return _CAPABILITIES | versions | {"files": files}


async def _unknown(request: Request) -> Response:
    return envelope(request, 998, _UNKNOWN, [])


def envelope(request: Request, code: int, message: str, data: Any) -> Response:
    """Return an OCS response in the version and format of the request."""
    good = code == 200  # noqa: PLR2004 - OCS version 2 uses HTTP's own numbers for success
    first_version = request.url.path.startswith("/ocs/v1.php/")
    meta: dict[str, Any] = {
        "status": "ok" if good else "failure",
        "statuscode": 100 if good and first_version else code,
        "message": message,
    }
    if first_version:
        meta |= {"totalitems": "", "itemsperpage": ""}
    http_status = {997: 401, 998: 404}.get(code, code)
    if _wants_json(request):
        return JSONResponse({"ocs": {"meta": meta, "data": data}}, http_status)
    document = Element("ocs")
    _append(document, "meta", meta)
    _append(document, "data", data)
    indent(document, " ")
    body = b'<?xml version="1.0"?>\n' + tostring(document) + b"\n"
    return Response(body, http_status, media_type="application/xml; charset=utf-8")


def _wants_json(request: Request) -> bool:
    asked = request.query_params.get("format")
    return asked == "json" or (asked is None and "application/json" in request.headers.get("accept", ""))


def _append(parent: Element, name: str, value: Any) -> None:
    child = SubElement(parent, name)
    if isinstance(value, dict):
        for key, inner in value.items():
            _append(child, key, inner)
    elif isinstance(value, list):
        for inner in value:
            _append(child, "element", inner)
    elif isinstance(value, bool):
        child.text = "1" if value else ""
    elif value is not None:
        child.text = str(value)
