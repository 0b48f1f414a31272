"""Every error this server raises on purpose: one base, each with a machine-readable code.

    NextcloudMCPError
    ├── SettingsError                  a setting is wrong or missing: the start stops
    ├── InvalidTokenError              HTTP 401 invalid_token (RFC 6750 section 3.1)
    │   └── SubjectTokenRefusedError   the same, said by Keycloak at the exchange
    ├── InsufficientScopeError         HTTP 403 insufficient_scope
    ├── IssuerUnavailableError         HTTP 503: Keycloak can't be asked, which says nothing about the token
    ├── TooManyCallsError              HTTP 429: beyond one person's share of the server
    ├── OverloadedError                HTTP 503: the server has no memory for it now
    ├── TokenExchangeError             the exchange failed; nothing else is tried in its place
    ├── InvalidArgumentError           the tool's caller named something impossible
    ├── DefectError                    what nobody foresaw: the log has it, the caller is told nothing
    └── NextcloudError                 Nextcloud's answer, or the lack of one
        ├── NextcloudUnavailableError  no answer, or maintenance
        ├── TokenNotAcceptedError      401: Nextcloud does not trust the token, or has a local account of that name
        ├── AccountDisabledError       401 too, with the person's name in it
        ├── AccountChangedError        the person has another account than the call began with
        ├── ForbiddenError             403
        ├── NotFoundError              404
        │   └── AppMissingError        the same, for the app is not there
        ├── ConflictError              409 and 412: what is there is not what the caller thinks
        ├── LockedError                423
        ├── RateLimitedError           429
        └── QuotaExceededError         507

A message is one sentence for the caller: the cause and the next step. It never holds a token, a secret or
the content of a file. It may quote what the caller sent, such as a path: the log gets the `code` and the `reason`,
which quotes nothing.
"""

from collections.abc import Iterable
from typing import ClassVar, Final


class NextcloudMCPError(Exception):
    """Base of all errors that this server raises on purpose."""

    code: ClassVar[str] = "error"

    quotes_caller: ClassVar[bool] = False
    """Whether the sentences of this class may quote what the caller sent, or what Nextcloud has of theirs."""

    def __init__(self, sentence: str, *, reason: str | None = None) -> None:
        """Say what failed.

        Args:
            sentence: for the caller.
            reason: for the log, where the sentence is not: the same without what it quotes.
        """
        super().__init__(sentence)
        self._reason = reason

    @property
    def reason(self) -> str | None:
        """What the log may say besides the code; None where the sentence may quote the caller and there is no other."""
        return self._reason if self._reason is not None or self.quotes_caller else str(self)


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
    """An argument is missing, unknown, of the wrong type, or has an impossible value."""

    code = "argument.invalid"
    quotes_caller = True

    def __init__(self, sentence: str, *, reason: str | None = None, rejected: Iterable[str] = ()) -> None:
        """Say what is wrong; `rejected` are the names of the arguments that do not fit the tool's schema."""
        super().__init__(sentence, reason=reason)
        self.rejected = tuple(rejected)


class DefectError(NextcloudMCPError):
    """Something failed for a reason that nobody foresaw; the message names what was called, and nothing else."""

    code = "crashed"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} failed because of a defect in this server: its administrator finds it in the log.")


class NextcloudError(NextcloudMCPError):
    """Nextcloud answered with an error that has no class of its own.

    Attributes:
        status: of its answer (HTTP), None where there was none.
    """

    code = "nextcloud.error"
    quotes_caller = True
    status: int | None = None


class NextcloudUnavailableError(NextcloudError):
    """Nextcloud gave no usable answer: unreachable, too slow, in maintenance or broken."""

    code = "nextcloud.unavailable"
    quotes_caller = False


class TokenNotAcceptedError(NextcloudError):
    """Nextcloud refused the token: it does not trust the realm, or has a local account of that name."""

    code = "nextcloud.token_not_accepted"
    quotes_caller = False


class AccountDisabledError(NextcloudError):
    """The person's account is disabled in Nextcloud."""

    code = "nextcloud.account_disabled"
    quotes_caller = False


class AccountChangedError(NextcloudError):
    """Nextcloud has given the person another account since the user id was asked."""

    code = "nextcloud.account_changed"

    def __init__(self, before: str, now: str) -> None:
        sentence = "Your account in Nextcloud is now {now} and no longer {before}: call again."
        super().__init__(
            sentence.format(now=repr(now), before=repr(before)), reason=sentence.format(now="…", before="…")
        )


class ForbiddenError(NextcloudError):
    """The user may not do this in Nextcloud."""

    code = "nextcloud.forbidden"


class NotFoundError(NextcloudError):
    """There is no such thing, or the user may not see it."""

    code = "nextcloud.not_found"


class AppMissingError(NotFoundError):
    """The app that it takes is not enabled in this Nextcloud, or not for this user."""

    code = "nextcloud.app_missing"
    quotes_caller = False

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
    quotes_caller = False


class QuotaExceededError(NextcloudError):
    """The user's storage or Nextcloud's disk is full (RFC 4918 section 11.5)."""

    code = "nextcloud.quota_exceeded"


class TooManyCallsError(NextcloudMCPError):
    """One person makes more calls than the server gives one person; `retry_after` is in seconds."""

    code = "limit.person"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(f"{message} Try again in {retry_after} s.")
        self.retry_after = retry_after


class OverloadedError(NextcloudMCPError):
    """The server has no memory for a request now; `retry_after` is in seconds."""

    code = "limit.memory"
    retry_after = 5


MAX_QUOTED: Final = 60
"""Characters of what a caller sent that an error quotes."""


def quoted(text: str) -> str:
    """Return text of a caller's for an error: on one line, and not longer than can be read."""
    return repr(text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…")
