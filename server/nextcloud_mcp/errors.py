"""Every error this server raises on purpose: one base, each with a machine-readable code.

    NextcloudMCPError
    ├── SettingsError                  a setting is wrong or missing: the start stops
    ├── InvalidTokenError              HTTP 401 invalid_token (RFC 6750 section 3.1)
    │   └── SubjectTokenRefusedError   the same, said by Keycloak at the exchange
    ├── InsufficientScopeError         HTTP 403 insufficient_scope
    ├── IssuerUnavailableError         HTTP 503: Keycloak can't be asked, which says nothing about the token
    ├── TokenExchangeError             the exchange failed; nothing else is tried in its place
    ├── InvalidArgumentError           the tool's caller named something impossible
    └── NextcloudError                 Nextcloud's answer, or the lack of one
        ├── NextcloudUnavailableError  no answer, or maintenance
        ├── TokenNotAcceptedError      401: Nextcloud does not trust the token, or has a local account of that name
        ├── AccountDisabledError       401 too, with the person's name in it
        ├── ForbiddenError             403
        ├── NotFoundError              404
        │   └── AppMissingError        the same, for the app is not there
        ├── ConflictError              409 and 412: what is there is not what the caller thinks
        ├── LockedError                423
        ├── RateLimitedError           429
        └── QuotaExceededError         507

A message is one sentence for the caller: the cause and the next step. It never holds a token, a secret or
the content of a file; the log's event carries the `code`.
"""

from collections.abc import Iterable
from typing import ClassVar


class NextcloudMCPError(Exception):
    """Base of all errors that this server raises on purpose."""

    code: ClassVar[str] = "error"


class SettingsError(NextcloudMCPError):
    """A setting is wrong or missing; the message names it."""

    code = "settings.invalid"


class InvalidTokenError(NextcloudMCPError):
    """The bearer token is not one that this server accepts; the message says why, without the token."""

    code = "token.invalid"


class SubjectTokenRefusedError(InvalidTokenError):
    """Keycloak no longer honours the caller's token: signed out, disabled, or consent withdrawn."""

    code = "token_exchange.subject_token_refused"


class InsufficientScopeError(NextcloudMCPError):
    """The token is genuine but lacks the scope of the tool or resource."""

    code = "token.insufficient_scope"

    def __init__(self, feature: str, *, granted: Iterable[str], missing: Iterable[str]) -> None:
        self.feature = feature
        self.granted = sorted(granted)
        self.missing = sorted(missing)
        super().__init__(
            f"{feature} needs the scope {' '.join(self.missing)}, which this token lacks: sign in again and grant it."
        )


class IssuerUnavailableError(NextcloudMCPError):
    """Keycloak's metadata or keys can't be had right now."""

    code = "issuer.unavailable"


class TokenExchangeError(NextcloudMCPError):
    """Keycloak gave no token for Nextcloud. There is no fallback."""

    code = "token_exchange.failed"


class InvalidArgumentError(NextcloudMCPError):
    """An argument has the right type and an impossible value."""

    code = "argument.invalid"


class NextcloudError(NextcloudMCPError):
    """Nextcloud answered with an error that has no class of its own."""

    code = "nextcloud.error"


class NextcloudUnavailableError(NextcloudError):
    """Nextcloud gave no usable answer: unreachable, too slow, in maintenance or broken."""

    code = "nextcloud.unavailable"


class TokenNotAcceptedError(NextcloudError):
    """Nextcloud refused the token: it does not trust the realm, or has a local account of that name."""

    code = "nextcloud.token_not_accepted"


class AccountDisabledError(NextcloudError):
    """The person's account is disabled in Nextcloud."""

    code = "nextcloud.account_disabled"


class ForbiddenError(NextcloudError):
    """The user may not do this in Nextcloud."""

    code = "nextcloud.forbidden"


class NotFoundError(NextcloudError):
    """There is no such thing, or the user may not see it."""

    code = "nextcloud.not_found"


class AppMissingError(NotFoundError):
    """The app that it takes is not enabled in this Nextcloud, or not for this user."""

    code = "nextcloud.app_missing"

    def __init__(self, app: str) -> None:
        super().__init__(f"This Nextcloud does not have the app {app} for you: its administrator can enable it.")


class ConflictError(NextcloudError):
    """What is there is not what the caller took for granted (RFC 9110 sections 15.5.10 and 15.5.13)."""

    code = "nextcloud.conflict"


class LockedError(NextcloudError):
    """Somebody else is writing to it (RFC 4918 section 11.3)."""

    code = "nextcloud.locked"


class RateLimitedError(NextcloudError):
    """Nextcloud asks for a pause (RFC 6585 section 4)."""

    code = "nextcloud.rate_limited"


class QuotaExceededError(NextcloudError):
    """The user's storage or Nextcloud's disk is full (RFC 4918 section 11.5)."""

    code = "nextcloud.quota_exceeded"
