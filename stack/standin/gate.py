"""Authentication of every request, as measured for user_oidc and Nextcloud's CORS rule.

Measured for user_oidc 8.10.1 on Nextcloud 32.0.1: a bearer JWT is accepted if the realm signed it with an algorithm
that the app verifies, if its issuer is the realm's, if it has not expired, and if its `aud` contains the client id or
is missing. `preferred_username` is the account, which the first call creates. An app password is accepted too. Every
other request is anonymous, and each API refuses it with its own error. A token that names a local account, in upper or
lower case, also counts as anonymous: this is the effect of `soft_auto_provision=false`, which nextcloud/setup.sh sets.

It takes a while to create the first files of a new account. Until then, each API refuses the account's other requests
with its own error (measured on Nextcloud 34.0.1, where this takes 2.6 s).
"""

import base64
import binascii
import hashlib
import re
import time
import warnings
from asyncio import sleep
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stack.standin.keys import CachedRealmKeys
from stack.standin.releases import Release
from stack.standin.sabre import MEDIA_TYPE, NOT_AUTHENTICATED, error_body
from stack.standin.tree import Tree

ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA"]
_KEY_TYPES = {"RS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES = frozenset({None, "P-256", "P-384", "Ed25519"})
"""The curves that user_oidc's library supports; an RSA key has None."""
_MIN_BITS = 2048
LOCAL_ACCOUNTS = frozenset({"admin"})
"""The accounts that do not come from the realm: the administrator, as in every Nextcloud."""
ARRIVAL_SECONDS = 0.2
"""Seconds that it takes to create the first files of a new account."""
_SCOPE_KEY = "standin.account"
# user_oidc allows any character; here a user id is also a folder name, which excludes names such as `..`
_USER_ID = re.compile(r"[^/\0.\s][^/\0]*")
_MAX_USER_ID = 64  # bytes; Nextcloud uses the SHA-256 of a longer id
_CORS_REFUSAL = "CORS requires basic auth"
_ANONYMOUS_REFUSAL = "Current user is not logged in"


@dataclass(frozen=True)
class Account:
    """The account of the caller.

    Attributes:
        user: The user id.
        display_name: The display name; empty if the token has none.
        email: The mail address, if the token has one.
    """

    user: str
    display_name: str
    email: str | None


def account_of(scope: Scope) -> Account:
    """Return the caller's account; use it only for paths on which the gate refuses anonymous requests."""
    account: Account = scope[_SCOPE_KEY]
    return account


def account_or_none(scope: Scope) -> Account | None:
    """Return the caller's account, or None for an anonymous request."""
    account: Account | None = scope[_SCOPE_KEY]
    return account


class AppPasswords:
    """The app passwords, at most one for each user; `occ user:auth-tokens:add` creates them.

    Args:
        folder: The folder with a file for each user, which has the SHA-256 of the password.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def account(self, credentials: str) -> Account | None:
        """Return the account of HTTP Basic credentials (RFC 7617), or None if they are wrong."""
        try:
            user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if not _USER_ID.fullmatch(user) or not (self._folder / user).is_file():
            return None
        digest = hashlib.sha256(password.encode()).hexdigest()
        return Account(user, user, None) if digest == (self._folder / user).read_text() else None

    def revoke(self, user: str) -> None:
        """Delete a user's app password."""
        (self._folder / user).unlink(missing_ok=True)


class Gate:
    """ASGI middleware that identifies the caller and refuses the requests that Nextcloud refuses.

    Args:
        app: The app behind the middleware.
        keys: The realm's issuer and signing keys.
        client_id: The client id that `aud` must contain.
        tree: The files, which new accounts get.
        app_passwords: The users' app passwords.
        release: The release of Nextcloud.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: CachedRealmKeys,
        client_id: str,
        tree: Tree,
        app_passwords: AppPasswords,
        release: Release,
    ) -> None:
        self._app = app
        self._keys = keys
        self._client_id = client_id
        self._tree = tree
        self._app_passwords = app_passwords
        self._is_named_in_dav = release.has_user_header_in_dav
        self._arriving: set[str] = set()
        self._emails: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on with the caller's account."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        account = await self._account(headers.get("authorization", ""))
        refusal = _refusal(scope["path"], headers, account)
        if refusal is None and account is not None:
            refusal = await self._arrive(scope["path"], account.user)
        scope[_SCOPE_KEY] = account
        is_named = self._is_named_in_dav or not scope["path"].startswith("/remote.php/")
        await (refusal or self._app)(scope, receive, _naming(account, send) if is_named else send)

    async def _account(self, authorization: str) -> Account | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "basic":
            return self._app_passwords.account(token)
        if scheme.lower() != "bearer":
            return None
        claims = await self._claims(token)
        if claims is None:
            return None
        account = _account_from(claims)
        return None if account is None else self._fill(account)

    def _fill(self, account: Account) -> Account:
        """Fill the account from the token, which erases nothing; a new display name shows from the next request on."""
        before = self._tree.display_name(account.user)
        if account.display_name:
            self._tree.set_display_name(account.user, account.display_name)
        if account.email:
            self._emails[account.user] = account.email
        return Account(account.user, before, self._emails.get(account.user))

    async def _arrive(self, path: str, user: str) -> Response | None:
        """Create the account of a new user, and refuse the user's other requests until it exists."""
        if user in self._arriving:
            return _not_yet(path, user)
        if self._tree.knows(user):
            return None
        self._arriving.add(user)
        try:
            await sleep(ARRIVAL_SECONDS)
            self._tree.provision(user)
        finally:
            self._arriving.remove(user)
        return None

    async def _claims(self, token: str) -> dict[str, Any] | None:
        realm = await self._keys.get()
        if realm is None:
            return None
        try:
            _check_keys(token, realm.keys)
            with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # about the name EdDSA (RFC 9864)
                claims = jwt.decode(token, realm.keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):
            return None
        good = claims.get("iss") == realm.issuer and _not_expired(claims) and self._is_meant_for_us(claims)
        return claims if good else None

    def _is_meant_for_us(self, claims: dict[str, Any]) -> bool:
        audience = claims.get("aud")
        if audience is None:
            return True
        return self._client_id in (audience if isinstance(audience, list) else [audience])


def _check_keys(token: str, keys: KeySet) -> None:
    """Check all keys of the realm of the type that the token's algorithm needs, as user_oidc does.

    Raises:
        ValueError: a key has a curve that user_oidc's library does not support, or a key before the token's is too
            short.
    """
    header = jws.extract_compact(token.encode()).headers()
    needed = _KEY_TYPES.get(str(header.get("alg"))[:2])
    is_before = True
    for key in keys.keys:
        jwk = key.as_dict(private=False)
        if jwk.get("kty") != needed or jwk.get("use", "sig") != "sig":
            continue
        is_before = is_before and jwk.get("kid") != header.get("kid")
        bits = len(str(jwk.get("n", ""))) * 6
        if jwk.get("crv") not in _CURVES or (needed == "RSA" and bits < _MIN_BITS and is_before):
            raise ValueError("a key that user_oidc does not take")


def _naming(account: Account | None, send: Send) -> Send:
    """Add the header `X-User-Id` with the caller's user id in UTF-8."""
    if account is None:
        return send

    async def send_named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"x-user-id", account.user.encode())]
        await send(message)

    return send_named


def _not_expired(claims: dict[str, Any]) -> bool:
    expiry = claims.get("exp")
    return isinstance(expiry, int | float) and expiry > time.time()


def _account_from(claims: dict[str, Any]) -> Account | None:
    user = claims.get("preferred_username")
    if not isinstance(user, str) or not _USER_ID.fullmatch(user) or user.lower() in LOCAL_ACCOUNTS:
        return None
    encoded = user.encode()
    user_id = hashlib.sha256(encoded).hexdigest() if len(encoded) > _MAX_USER_ID else user
    return Account(user_id, str(claims.get("name") or ""), claims.get("email"))


def _refusal(path: str, headers: Headers, account: Account | None) -> Response | None:
    """Return the 401 of the called API, or None; OCS answers 401 itself, and status.php needs no authentication."""
    if path.startswith("/index.php/apps/"):
        return _app_refusal(headers, account)
    if path.startswith("/remote.php/") and account is None:
        body = error_body(401, NOT_AUTHENTICATED)
        challenge = {"WWW-Authenticate": 'Basic realm="Nextcloud", charset="UTF-8"'}
        return Response(body, 401, headers=challenge, media_type=MEDIA_TYPE)
    return None


def _not_yet(path: str, user: str) -> Response | None:
    """Return the error of the called API while another request creates the account."""
    if path.startswith("/index.php/apps/"):
        return HTMLResponse("<!DOCTYPE html><title>Error</title><h2>Internal Server Error</h2>", 500)
    if path.startswith("/remote.php/"):
        body = error_body(503, f'"/{user}/files/Photos" is locked', exception="OCP\\Lock\\LockedException")
        return Response(body, 503, media_type=MEDIA_TYPE)
    if path.startswith("/ocs/"):
        meta = {"status": "failure", "statuscode": 996, "message": "Internal Server Error\n"}
        return JSONResponse({"ocs": {"meta": meta, "data": []}}, 500)
    return None


def _app_refusal(headers: Headers, account: Account | None) -> Response | None:
    # the `#[CORS]` attribute of app APIs: without the header, even a valid token is refused
    if headers.get("ocs-apirequest") != "true":
        return JSONResponse({"message": _CORS_REFUSAL}, 401)
    if account is None:
        return JSONResponse({"message": _ANONYMOUS_REFUSAL}, 401)
    return None
