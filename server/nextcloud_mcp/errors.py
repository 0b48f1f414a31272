"""All errors that this server raises on purpose: one base class, and a machine-readable code for each class.

    NextcloudMCPError
    ├── SettingsError                  a setting is wrong or missing: the server does not start
    ├── ClientsError                   `nextcloud-mcp clients`: Keycloak does not list or delete clients
    ├── InvalidTokenError              HTTP 401 invalid_token (RFC 6750 section 3.1)
    │   └── SubjectTokenRefusedError   the same, if Keycloak refuses the token at the exchange
    ├── InsufficientScopeError         HTTP 403 insufficient_scope
    ├── IssuerUnavailableError         HTTP 503: Keycloak is unreachable, so the token can't be checked
    ├── TooManyCallsError              HTTP 429: beyond the limits of one user
    ├── OverloadedError                HTTP 503: not enough free memory
    ├── TokenExchangeError             the exchange failed; there is no fallback
    ├── JourneyRefusedError            HTTP 403: the caller may not see the token journey
    ├── InvalidArgumentError           an argument of a tool is invalid
    ├── DefectError                    an unexpected exception: the log has the details, the caller gets none
    └── NextcloudError                 Nextcloud returned an error, or no response
        ├── NextcloudUnavailableError  no response, or maintenance
        ├── TokenNotAcceptedError      401: Nextcloud does not trust the token, or has a local account of that name
        │   └── UnsupportedByUserOidcError  401: user_oidc does not support the token's signature algorithm
        ├── AccountDisabledError       401 with the user's name in it
        ├── AccountChangedError        the user's account is not the one at the start of the call
        ├── ForbiddenError             403
        ├── NotFoundError              404
        │   └── AppMissingError        404, because the app is missing
        ├── ConflictError              409 and 412: the current state is not what the caller expects
        ├── LockedError                423
        ├── RateLimitedError           429
        └── QuotaExceededError         507

An error is raised with a `cause` and a `remedy`, which form the sentence for the caller. Both are templates: `{name}`
stands for a value that the caller sees. If a user may have sent or stored that value, the log gets `…` instead. Neither
a template nor a value contains a token, a secret or the content of a file.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final, Self

NOT_LOGGED: Final = "…"
"""Replaces a value in the log."""

_NEVER_LOGGED: Final = frozenset({"resource", "why"})
"""Names of values that are never logged: the resource, and Nextcloud's reason."""


class NextcloudMCPError(Exception):
    """Base of all errors that this server raises on purpose.

    Attributes:
        code: for programs; each class has its own.
        cause: what failed, without a full stop.
        remedy: what the caller can do, without a full stop.
        logged_cause: the cause for the log.
        logged_remedy: the remedy for the log.
        argument: the name of the tool's argument that is wrong.
        resource: what it is about: `note 7`, `'/Photos'`.
        method: of the HTTP request that failed.
        status: of the answer (HTTP).
    """

    code: ClassVar[str] = "error"
    retry_after: int | None = None
    """Seconds after which another try may succeed."""
    hides_texts: ClassVar[bool] = False
    """Whether the log replaces every value except numbers with `…`, because a person may have written it."""

    def __init__(
        self,
        cause: str,
        remedy: str,
        *,
        argument: str | None = None,
        resource: str | None = None,
        method: str | None = None,
        status: int | None = None,
        **values: object,
    ) -> None:
        """Describe what failed, and what to do.

        Args:
            cause: the template of the attribute.
            remedy: the template of the attribute.
            argument: see the attribute; the templates may contain it and the next three.
            resource: see the attribute.
            method: see the attribute.
            status: see the attribute.
            values: the other values in the templates.
        """
        self.argument, self.resource, self.method, self.status = argument, resource, method, status
        public = {"argument": argument, "method": method, "status": status}
        told = values | public | {"resource": resource}
        self.cause = _render_cause(cause, told)
        self.remedy = remedy.format_map(told)
        logged = self._logged(told) | public
        self.logged_cause, self.logged_remedy = _render_cause(cause, logged), remedy.format_map(logged)
        super().__init__(self.cause, self.remedy)

    def __str__(self) -> str:
        """Return the sentence for the caller."""
        return f"{self.cause}: {self.remedy}" + ("" if self.remedy.endswith("?") else ".")

    def _logged(self, values: Mapping[str, object]) -> dict[str, object]:
        return {
            name: _Hidden()
            if value and (name in _NEVER_LOGGED or (self.hides_texts and not _is_number(value)))
            else value
            for name, value in values.items()
        }

    def again(self) -> Self:
        """Return a copy of the error, to be raised in another call."""
        twin = type(self).__new__(type(self), *self.args)
        vars(twin).update(vars(self))
        return twin

    def after(self, done: str, remedy: str | None = None, **values: object) -> Self:
        """Return a copy for a change of several requests, of which an earlier one took effect.

        Args:
            done: the template of the sentence about the earlier requests, without a full stop; it precedes the cause.
            remedy: the template of another remedy, if the caller must not repeat the whole change.
            values: the values in the templates.
        """
        twin, logged = self.again(), self._logged(values)
        twin.cause = f"{_render_cause(done, values)}. {self.cause}"
        twin.logged_cause = f"{_render_cause(done, logged)}. {self.logged_cause}"
        if remedy is not None:
            twin.remedy, twin.logged_remedy = remedy.format_map(values), remedy.format_map(logged)
        return twin

    @property
    def parts(self) -> dict[str, Any]:
        """The error as data, for the caller's programs."""
        known = {
            "status": self.status,
            "method": self.method,
            "resource": self.resource,
            "argument": self.argument,
            "retry_after": self.retry_after,
        }
        return {"code": self.code, "cause": self.cause, "remedy": self.remedy} | _without_none(known)

    @property
    def log_fields(self) -> dict[str, Any]:
        """The error as fields of a log event."""
        known = {"status": self.status, "method": self.method, "argument": self.argument}
        told = {"code": self.code, "cause": self.logged_cause, "remedy": self.logged_remedy}
        return told | _without_none(known)


class SettingsError(NextcloudMCPError):
    """A setting is wrong or missing; `setting` is its name."""

    code = "settings.invalid"

    def __init__(self, setting: str, problem: str) -> None:
        """Name the setting; `problem` completes the sentence, without a full stop, and never contains a secret."""
        super().__init__("{setting}: {problem}", "correct the setting", setting=setting, problem=problem)
        self.setting = setting

    def __str__(self) -> str:
        """Return one line, as the command line prints it."""
        return f"{self.cause}."


class ClientsError(NextcloudMCPError):
    """The command `clients`: Keycloak does not list or delete registered clients."""

    code = "clients.failed"


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
            "{feature} needs the scope {missing}, which this token lacks",
            "sign in again and grant it",
            feature=feature,
            missing=" ".join(self.missing),
        )


class IssuerUnavailableError(NextcloudMCPError):
    """Keycloak's metadata or keys are not available."""

    code = "issuer.unavailable"


class TokenExchangeError(NextcloudMCPError):
    """Keycloak gave no token for Nextcloud. There is no fallback."""

    code = "token_exchange.failed"


class JourneyRefusedError(NextcloudMCPError):
    """The caller may not see the token journey: without the role `journey`, or by another client."""

    code = "journey.refused"


class InvalidArgumentError(NextcloudMCPError):
    """An argument is missing, unknown, of the wrong type, or has an impossible value; `each` has several errors."""

    code = "argument.invalid"
    hides_texts = True
    each: tuple["InvalidArgumentError", ...] = ()

    @classmethod
    def combine(cls, errors: Iterable[Self]) -> Self:
        """Return one error with the sentences of all `errors`."""
        each = tuple(errors)
        if len(each) == 1:
            return each[0]
        names = dict.fromkeys(error.argument for error in each if error.argument is not None)
        error = cls(
            "{sentences}", "correct these arguments", argument=", ".join(names) or None, sentences=_joined(each)
        )
        error.each = each
        error.logged_cause = " ".join(f"{one.logged_cause}." for one in each)
        return error

    def __str__(self) -> str:
        """Return the sentence for the caller, or the sentences for all arguments."""
        return _joined(self.each) if self.each else super().__str__()

    @property
    def parts(self) -> dict[str, Any]:
        """The error as data; `errors` has that of each argument, if several are wrong."""
        errors = [error.parts for error in self.each]
        return super().parts | ({"errors": errors} if errors else {})


class DefectError(NextcloudMCPError):
    """An unexpected failure; the message only names what was called."""

    code = "crashed"

    def __init__(self, name: str) -> None:
        super().__init__(
            "{name} failed because of a defect in this server", "its administrator finds it in the log", name=name
        )


class NextcloudError(NextcloudMCPError):
    """Nextcloud answered with an error that has no class of its own."""

    code = "nextcloud.error"
    hides_texts = True


class NextcloudUnavailableError(NextcloudError):
    """Nextcloud gave no usable answer: unreachable, too slow, in maintenance or broken."""

    code = "nextcloud.unavailable"
    hides_texts = False


class TokenNotAcceptedError(NextcloudError):
    """Nextcloud refused the token: it does not trust the realm, or has a local account of that name."""

    code = "nextcloud.token_not_accepted"
    hides_texts = False


class UnsupportedByUserOidcError(TokenNotAcceptedError):
    """Nextcloud's app user_oidc does not support the algorithm of the token's signature."""

    code = "nextcloud.algorithm_unsupported"


class AccountDisabledError(NextcloudError):
    """The person's account is disabled in Nextcloud."""

    code = "nextcloud.account_disabled"


class AccountChangedError(NextcloudError):
    """Nextcloud has mapped the user to another account since the user id was requested."""

    code = "nextcloud.account_changed"

    def __init__(self, before: str, now: str) -> None:
        super().__init__(
            "Your account in Nextcloud is now {now!r} and no longer {before!r}", "call again", now=now, before=before
        )


class ForbiddenError(NextcloudError):
    """The user may not do this in Nextcloud."""

    code = "nextcloud.forbidden"


class NotFoundError(NextcloudError):
    """It does not exist, or the user may not see it."""

    code = "nextcloud.not_found"


class AppMissingError(NotFoundError):
    """The required app is not enabled in this Nextcloud, or not for this user."""

    code = "nextcloud.app_missing"

    def __init__(self, app: str) -> None:
        super().__init__(f"This Nextcloud does not have the app {app} for you", "its administrator can enable it")


class ConflictError(NextcloudError):
    """The resource is not in the state that the caller expected (RFC 9110 sections 15.5.10 and 15.5.13)."""

    code = "nextcloud.conflict"


class LockedError(NextcloudError):
    """Somebody else is writing to it, or has locked it (RFC 4918 section 11.3)."""

    code = "nextcloud.locked"


class RateLimitedError(NextcloudError):
    """Nextcloud limits the rate of requests (RFC 6585 section 4)."""

    code = "nextcloud.rate_limited"


class QuotaExceededError(NextcloudError):
    """The user's storage or Nextcloud's disk is full (RFC 4918 section 11.5)."""

    code = "nextcloud.quota_exceeded"


class TooManyCallsError(NextcloudMCPError):
    """The user exceeds the server's limit of calls per user; `retry_after` is in seconds."""

    code = "limit.person"

    def __init__(self, cause: str, remedy: str, *, retry_after: int) -> None:
        super().__init__(cause, f"{remedy}; try again in {retry_after} s")
        self.retry_after = retry_after


class OverloadedError(NextcloudMCPError):
    """The server has too little memory for the request now; `retry_after` is in seconds."""

    code = "limit.memory"
    retry_after = 5


@contextmanager
def completed(done: str, remedy: str | None = None, **values: object) -> Iterator[None]:
    """Run a later request of a change; if it fails, the error begins with what is done, as in `after`."""
    try:
        yield
    except NextcloudMCPError as error:
        raise error.after(done, remedy, **values) from error


MAX_QUOTED: Final = 60
"""Maximum characters of the caller's text that an error quotes."""


def quoted(text: str) -> str:
    """Return the caller's text for an error: on one line, and cut after `MAX_QUOTED` characters."""
    return repr(text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…")


MAX_QUOTED_NAMES: Final = 10
"""Maximum names that an error quotes."""


def quoted_names(names: Sequence[str]) -> str:
    """Return the caller's names for an error, with commas between; after `MAX_QUOTED_NAMES`, only their number."""
    more = len(names) - MAX_QUOTED_NAMES
    return ", ".join(map(quoted, names[:MAX_QUOTED_NAMES])) + (f" and {more} more" if more > 0 else "")


def _joined(errors: Iterable[NextcloudMCPError]) -> str:
    return " ".join(str(error) for error in errors)


def _render_cause(template: str, values: Mapping[str, object]) -> str:
    """Fill in a template; capitalize the result if it begins with the resource, but never an argument's name."""
    text = template.format_map(values)
    return text[:1].upper() + text[1:] if template.startswith("{resource}") else text


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


class _Hidden:
    """Formats as `…` with every format specification."""

    def __format__(self, _: str) -> str:
        return NOT_LOGGED

    def __repr__(self) -> str:
        return NOT_LOGGED

    __str__ = __repr__


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
