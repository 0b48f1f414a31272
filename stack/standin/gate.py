"""The gate in front of everything: what user_oidc and Nextcloud's CORS rule were measured to let through.

user_oidc 8.10.1 on Nextcloud 32.0.1: a bearer JWT counts when it is signed by the realm with an algorithm that the app
verifies, is from the realm's issuer, has not expired, and has the client id in `aud`, or no `aud` at all. The account
is the one that `preferred_username` names, and is made at its first call. An app password counts too, where somebody
has one. All else is an anonymous request, and each API refuses those in words of its own. So is a token that names a
local account, in whatever upper and lower case: that is what `soft_auto_provision=false` does, which nextcloud/setup.sh
sets.

A new account gets its start files, which takes a while. Until then each API refuses the account's other requests in
its own way (measured on Nextcloud 34.0.1, where it takes 2.6 s).
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

from stack.standin.keys import KeyMemory
from stack.standin.sabre import MEDIA_TYPE, NOT_AUTHENTICATED, error_body
from stack.standin.tree import Tree

ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA"]
_KEY_TYPES = {"RS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES = frozenset({None, "P-256", "P-384", "Ed25519"})
"""Those that user_oidc's library knows; `None` is what an RSA key has."""
_MIN_BITS = 2048
LOCAL_ACCOUNTS = frozenset({"admin"})
"""Who has an account here that is none of the realm's: the administrator, as in every Nextcloud."""
ARRIVAL_SECONDS = 0.2
"""For which a new account gets its start files."""
_SCOPE_KEY = "standin.account"
# user_oidc allows any character; here an id is a folder's name too, which rules out paths such as `..`
_USER_ID = re.compile(r"[^/\0.\s][^/\0]*")
_MAX_USER_ID = 64  # bytes; of a longer one Nextcloud has the SHA-256
_CORS_REFUSAL = "CORS requires basic auth"
_ANONYMOUS_REFUSAL = "Current user is not logged in"


@dataclass(frozen=True)
class Account:
    """Who is calling.

    Attributes:
        user: The user id.
        display_name: The name for people.
        email: The address, when the token has one.
    """

    user: str
    display_name: str
    email: str | None


def account_of(scope: Scope) -> Account:
    """The account that the gate let in; only for paths that it closes to others."""
    account: Account = scope[_SCOPE_KEY]
    return account


def account_or_none(scope: Scope) -> Account | None:
    """The same for paths that are open to all."""
    account: Account | None = scope[_SCOPE_KEY]
    return account


class AppPasswords:
    """The app passwords that people have, one each; `occ user:auth-tokens:add` writes them.

    Args:
        folder: Holds a file for each person, with the password's SHA-256.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def account(self, credentials: str) -> Account | None:
        """Return whose user name and app password these credentials of HTTP Basic (RFC 7617) are."""
        try:
            user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if not _USER_ID.fullmatch(user) or not (self._folder / user).is_file():
            return None
        digest = hashlib.sha256(password.encode()).hexdigest()
        return Account(user, user, None) if digest == (self._folder / user).read_text() else None

    def revoke(self, user: str) -> None:
        """Forget a person's app password."""
        (self._folder / user).unlink(missing_ok=True)


class Gate:
    """ASGI middleware that finds out who is calling and refuses what Nextcloud would refuse.

    Args:
        app: What stands behind it.
        keys: The realm's issuer and signing keys.
        client_id: What `aud` has to contain.
        tree: Where new accounts get their files.
        app_passwords: The app passwords that people have.
    """

    def __init__(
        self, app: ASGIApp, *, keys: KeyMemory, client_id: str, tree: Tree, app_passwords: AppPasswords
    ) -> None:
        self._app = app
        self._keys = keys
        self._client_id = client_id
        self._tree = tree
        self._app_passwords = app_passwords
        self._arriving: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on with the account it belongs to."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        account = await self._account(headers.get("authorization", ""))
        refusal = _refusal(scope["path"], headers, account)
        if refusal is None and account is not None:
            refusal = await self._arrive(scope["path"], account.user)
        scope[_SCOPE_KEY] = account
        await (refusal or self._app)(scope, receive, _naming(account, scope["path"], send))

    async def _account(self, authorization: str) -> Account | None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "basic":
            return self._app_passwords.account(token)
        if scheme.lower() != "bearer":
            return None
        claims = await self._claims(token)
        if claims is None:
            return None
        return _account_from(claims)

    async def _arrive(self, path: str, user: str) -> Response | None:
        """Make the account of somebody new; refuse their other requests until it is made."""
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
            with warnings.catch_warnings(action="ignore", category=SecurityWarning):  # of the name EdDSA (RFC 9864)
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
    """Do what user_oidc does with the realm's other keys of the kind that the token's algorithm needs.

    Raises:
        ValueError: one has a curve that user_oidc's library does not know, or is too short and comes first.
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


def _naming(account: Account | None, path: str, send: Send) -> Send:
    """Add the header in which Nextcloud 32 names whom it answers, as it is in UTF-8; WebDAV has none there."""
    if account is None or path.startswith("/remote.php/"):
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
    return Account(user_id, str(claims.get("name") or user), claims.get("email"))


def _refusal(path: str, headers: Headers, account: Account | None) -> Response | None:
    """The 401 of the API that was called, or None; OCS answers for itself, and status.php is for all."""
    if path.startswith("/index.php/apps/"):
        return _app_refusal(headers, account)
    if path.startswith("/remote.php/") and account is None:
        body = error_body(401, NOT_AUTHENTICATED)
        challenge = {"WWW-Authenticate": 'Basic realm="Nextcloud", charset="UTF-8"'}
        return Response(body, 401, headers=challenge, media_type=MEDIA_TYPE)
    return None


def _not_yet(path: str, user: str) -> Response | None:
    """What the API that was called says while somebody else's request makes the account."""
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
    # the `#[CORS]` attribute of app APIs: without the header even a good token is refused
    if headers.get("ocs-apirequest") != "true":
        return JSONResponse({"message": _CORS_REFUSAL}, 401)
    if account is None:
        return JSONResponse({"message": _ANONYMOUS_REFUSAL}, 401)
    return None
