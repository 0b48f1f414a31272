"""Every MUST and SHOULD that applies to this server or its realm, as data; the documentation's table is made of it.

A test declares what it shows: `@pytest.mark.requirement("rfc6750-no-error-without-token")`. A deviation from a
specification is recorded as a divergence with its reason, and so are the duties of a deployment. Requirements for
clients only, and for features that do not exist here (encrypted tokens, signed metadata, MCP sessions), are omitted.

`python -m tests.requirements > docs/reference/requirements.md` writes the table.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tests.support.forged import REFUSED

Level = Literal["MUST", "MUST NOT", "SHOULD", "SHOULD NOT"]
Binds = Literal["server", "realm", "deployment"]

TESTS: Final = Path(__file__).parent
MARKER: Final = "requirement"
REFUSES: Final = "tests/unit/auth/test_verifier.py::test_refuses"
"""The test that tries all bad tokens."""

SOURCES: Final = {
    "mcp": "MCP authorization 2025-11-25 and 2026-07-28",
    "mcp26": "MCP authorization 2026-07-28",
    "limits": "MCP tools and completion, rate limits",
    "best": "MCP security best practices",
    "transport": "MCP Streamable HTTP, security warning",
    "rfc6750": "RFC 6750, bearer token usage",
    "rfc8693": "RFC 8693, token exchange",
    "rfc8707": "RFC 8707, resource indicators",
    "rfc8725": "RFC 8725, JWT best current practices",
    "rfc9068": "RFC 9068, JWT access tokens",
    "rfc9112": "RFC 9112, HTTP/1.1",
    "rfc9728": "RFC 9728, protected resource metadata",
}
"""What the first part of an id stands for. RFC 2119 has REQUIRED for MUST and RECOMMENDED for SHOULD."""

_SPECIFICATION: Final = "https://modelcontextprotocol.io/specification"
_DOCS: Final = "https://modelcontextprotocol.io/docs"
_25: Final = f"{_SPECIFICATION}/2025-11-25/basic/authorization"
_26: Final = f"{_SPECIFICATION}/2026-07-28/basic/authorization"
_26_DISCOVERY: Final = f"{_26}/authorization-server-discovery"
_26_REGISTRATION: Final = f"{_26}/client-registration"
_26_SECURITY: Final = f"{_26}/security-considerations"
_25_TRANSPORT: Final = f"{_SPECIFICATION}/2025-11-25/basic/transports"
_26_TRANSPORT: Final = f"{_SPECIFICATION}/2026-07-28/basic/transports/streamable-http"
_25_BEST: Final = f"{_DOCS}/2025-11-25/tutorials/security/security_best_practices"
_26_BEST: Final = f"{_DOCS}/2026-07-28/tutorials/security/security_best_practices"


@dataclass(frozen=True)
class Requirement:
    """One sentence of a specification.

    Attributes:
        id: a key of `SOURCES`, a hyphen, and what it is about.
        level: RFC 2119.
        binds: who has to keep it: our server, the realm with its Keycloak, or whoever deploys them.
        text: what has to hold, in one sentence.
        links: where the specification says so; two where both versions of MCP do.
        divergence: what is otherwise here and why, or why no test can show it; empty if there is nothing to say.
    """

    id: str
    level: Level
    binds: Binds
    text: str
    links: tuple[str, ...]
    divergence: str = ""


def _rfc(identifier: str, level: Level, binds: Binds, section: str, text: str, divergence: str = "") -> Requirement:
    number = identifier.partition("-")[0]
    link = f"https://www.rfc-editor.org/rfc/{number}.html#section-{section}"
    return Requirement(identifier, level, binds, text, (link,), divergence)


def _mcp(
    identifier: str, level: Level, binds: Binds, links: tuple[str, ...], text: str, divergence: str = ""
) -> Requirement:
    return Requirement(identifier, level, binds, text, links, divergence)


_TLS: Final = (
    "The demo speaks HTTP on loopback, where nobody else listens; anywhere else TLS is the reverse proxy's, and the "
    "realm is imported with `SSL_REQUIRED=all`."
)

_CONSENT_PAGE: Final = (
    "Stock Keycloak's consent page names the client, for one with a document the document's host, and the scopes, but "
    "not where the browser goes next; a theme of one's own could. The realm limits redirects to loopback and to the "
    "addresses of clients known by name."
)

_PASS_THROUGH: Final = (
    "Pass-through mode does pass the token on, if an operator chooses it: such a token names this server and "
    "Nextcloud as its audiences, and is validated before. Exchange mode passes no token on."
)

_TYPED_JWT: Final = (
    "Keycloak's access tokens have the header type `JWT`; they are told apart by the claim `typ`, which is `Bearer` in "
    "access tokens alone. Tokens of the type `at+jwt` are taken as well, any other type is refused."
)

_LIMITS: Final = (
    _mcp(
        "limits-tool-calls",
        "MUST",
        "server",
        (
            f"{_SPECIFICATION}/2025-11-25/server/tools#security-considerations",
            f"{_SPECIFICATION}/2026-07-28/server/tools#security-considerations",
        ),
        "Tool invocations are rate limited.",
    ),
    _mcp(
        "limits-completion",
        "MUST",
        "server",
        (
            f"{_SPECIFICATION}/2025-11-25/server/utilities/completion#security",
            f"{_SPECIFICATION}/2026-07-28/server/utilities/completion#security",
        ),
        "Completions are rate limited as appropriate.",
    ),
)

_MCP: Final = (
    # Who is asked, and where it says so
    _mcp(
        "mcp-oauth21",
        "MUST",
        "realm",
        (f"{_25}#overview", f"{_26}#overview"),
        "The authorization server implements OAuth 2.1 for public and confidential clients: codes with PKCE, "
        "neither the implicit nor the password grant.",
    ),
    _mcp(
        "mcp-cimd",
        "SHOULD",
        "realm",
        (f"{_25}#client-id-metadata-documents", f"{_26_REGISTRATION}#client-id-metadata-documents"),
        "The authorization server supports Client ID Metadata Documents, and says so in its metadata.",
    ),
    _mcp(
        "mcp-cimd-client-id-matches",
        "MUST",
        "realm",
        (f"{_25}#implementation-requirements", f"{_26_REGISTRATION}#implementation-requirements"),
        "A fetched document's `client_id` must equal its URL exactly.",
    ),
    _mcp(
        "mcp-cimd-redirect-uris",
        "MUST",
        "realm",
        (f"{_25}#implementation-requirements", f"{_26_REGISTRATION}#implementation-requirements"),
        "Redirect URIs in an authorization request are validated against those in the metadata document.",
    ),
    _mcp(
        "mcp-cimd-structure",
        "MUST",
        "realm",
        (f"{_25}#implementation-requirements", f"{_26_REGISTRATION}#implementation-requirements"),
        "A document that is not JSON, or lacks a required field, is refused.",
    ),
    _mcp(
        "mcp-cimd-cache",
        "SHOULD",
        "realm",
        (f"{_25}#implementation-requirements", f"{_26_REGISTRATION}#implementation-requirements"),
        "Metadata documents are cached as their HTTP headers say.",
    ),
    _mcp(
        "mcp-cimd-ssrf",
        "SHOULD",
        "realm",
        (f"{_25}#authorization-server-abuse-protection", f"{_26_SECURITY}#authorization-server-abuse-protection"),
        "Nobody can make the authorization server fetch any URL they like as a client's metadata document.",
    ),
    _mcp(
        "mcp-cimd-localhost-warning",
        "SHOULD",
        "realm",
        (f"{_25}#localhost-redirect-uri-risks", f"{_26_SECURITY}#localhost-redirect-uri-risks"),
        "A client whose redirect URIs are on localhost alone is announced with an additional warning.",
        _CONSENT_PAGE,
    ),
    _mcp(
        "mcp-cimd-shows-redirect-host",
        "MUST",
        "realm",
        (f"{_25}#localhost-redirect-uri-risks", f"{_26_SECURITY}#localhost-redirect-uri-risks"),
        "The host of the redirect URI is shown while the person authorizes.",
        _CONSENT_PAGE,
    ),
    _mcp(
        "mcp-prm",
        "MUST",
        "server",
        (f"{_25}#authorization-server-location", f"{_26_DISCOVERY}#authorization-server-location"),
        "The server publishes Protected Resource Metadata with at least one authorization server in it.",
    ),
    _mcp(
        "mcp-prm-discovery",
        "MUST",
        "server",
        (
            f"{_25}#protected-resource-metadata-discovery-requirements",
            f"{_26_DISCOVERY}#protected-resource-metadata-discovery-requirements",
        ),
        "A client finds the metadata by `resource_metadata` in the challenge of a 401, or at the well-known URI.",
    ),
    _mcp(
        "mcp-as-discovery",
        "MUST",
        "realm",
        (f"{_25}#overview", f"{_26}#overview"),
        "The authorization server offers RFC 8414 metadata or OpenID Connect Discovery.",
    ),
    _mcp(
        "mcp-code-challenge-methods",
        "MUST",
        "realm",
        (f"{_25}#authorization-code-protection", f"{_26_SECURITY}#authorization-code-protection"),
        "The authorization server's metadata lists `code_challenge_methods_supported`.",
    ),
    _mcp(
        "mcp26-iss-in-response",
        "SHOULD",
        "realm",
        (f"{_26}#authorization-response-validation",),
        "Authorization responses, errors included, carry `iss` (RFC 9207).",
    ),
    _mcp(
        "mcp26-iss-advertised",
        "MUST",
        "realm",
        (f"{_26}#authorization-response-validation",),
        "An authorization server that sends `iss` says so by `authorization_response_iss_parameter_supported`.",
    ),
    # Scopes
    _mcp(
        "mcp-scope-in-challenge",
        "SHOULD",
        "server",
        (f"{_25}#protected-resource-metadata-discovery-requirements", f"{_26}#scope-selection-strategy"),
        "The challenge of a 401 names in `scope` what to ask for.",
    ),
    _mcp(
        "mcp-scope-consistent",
        "SHOULD",
        "server",
        (f"{_25}#runtime-insufficient-scope-errors", f"{_26}#runtime-insufficient-scope-errors"),
        "The server is consistent in which scopes its challenges name.",
    ),
    _mcp(
        "mcp-insufficient-scope",
        "SHOULD",
        "server",
        (f"{_25}#runtime-insufficient-scope-errors", f"{_26}#runtime-insufficient-scope-errors"),
        'A token without the operation\'s scope gets 403 with `error="insufficient_scope"`, `scope` and '
        "`resource_metadata`.",
    ),
    _mcp(
        "mcp-step-up-all-at-once",
        "SHOULD",
        "server",
        (f"{_25}#runtime-insufficient-scope-errors", f"{_26}#runtime-insufficient-scope-errors"),
        "One challenge names every scope that the operation needs.",
    ),
    _mcp(
        "mcp-step-up-experience",
        "SHOULD",
        "server",
        (f"{_25}#runtime-insufficient-scope-errors", f"{_26}#runtime-insufficient-scope-errors"),
        "The scopes of a challenge are chosen with the person in mind: nobody is asked again and again, or loses what "
        "was granted.",
    ),
    _mcp(
        "mcp26-scope-hierarchy",
        "MUST",
        "server",
        (f"{_26}#step-up-authorization-flow",),
        "Where a broader scope implies a narrower one, a token with the broader is sufficient.",
        "There is no hierarchy: `files:write` does not imply `files:read`, on the consent page nor here.",
    ),
    _mcp(
        "mcp26-no-offline-access",
        "SHOULD NOT",
        "server",
        (f"{_26}#refresh-tokens",),
        "Neither challenges nor the Protected Resource Metadata name `offline_access`.",
    ),
    # Tokens
    _mcp(
        "mcp-every-request",
        "MUST",
        "server",
        (f"{_25}#token-requirements", f"{_26}#token-requirements"),
        "Authorization is by the header of every HTTP request, whatever came before it.",
    ),
    _mcp(
        "mcp-not-in-query",
        "MUST NOT",
        "server",
        (f"{_25}#token-requirements", f"{_26}#token-requirements"),
        "Access tokens are not in the query string.",
    ),
    _mcp(
        "mcp-validate-token",
        "MUST",
        "server",
        (f"{_25}#token-handling", f"{_26}#token-handling"),
        "The server validates access tokens as OAuth 2.1 section 5.2 has it, before it processes the request.",
    ),
    _mcp(
        "mcp-validate-audience",
        "MUST",
        "server",
        (f"{_25}#token-audience-binding-and-validation", f"{_26_SECURITY}#token-audience-binding-and-validation"),
        "A token that does not name this server as its audience is refused.",
    ),
    _mcp(
        "mcp-invalid-is-401",
        "MUST",
        "server",
        (f"{_25}#token-handling", f"{_26}#token-handling"),
        "Invalid and expired tokens get HTTP 401.",
    ),
    _mcp(
        "mcp-no-other-token",
        "MUST NOT",
        "server",
        (f"{_25}#token-handling", f"{_26}#token-handling"),
        "The server neither accepts nor transits tokens that are not for its own resources.",
    ),
    _mcp(
        "mcp-no-passthrough",
        "MUST NOT",
        "server",
        (f"{_25}#access-token-privilege-restriction", f"{_26_SECURITY}#access-token-privilege-restriction"),
        "The token that came from the MCP client is not passed through to the upstream API, which gets one of its own.",
        _PASS_THROUGH,
    ),
    _mcp(
        "mcp-status-codes",
        "MUST",
        "server",
        (f"{_25}#error-handling", f"{_26}#error-handling"),
        "Authorization errors have their status: 401 without a good token, 403 without the scope, 400 if malformed.",
    ),
    _mcp(
        "mcp-no-leak",
        "MUST",
        "server",
        (f"{_25}#access-token-privilege-restriction", f"{_26_SECURITY}#access-token-privilege-restriction"),
        "No data goes to whom it is not for: each person gets their own alone.",
    ),
    _mcp(
        "mcp-secure-token-storage",
        "MUST",
        "server",
        (f"{_25}#token-theft", f"{_26_SECURITY}#token-theft"),
        "Tokens are not stored, cached or logged by the server.",
    ),
    _mcp(
        "mcp-uppercase-host",
        "SHOULD",
        "server",
        (f"{_25}#canonical-server-uri", f"{_26}#canonical-server-uri"),
        "Scheme and host of the server's URI are accepted in upper case as well.",
        "The host that a request names is compared without regard to case; audiences and `resource` are compared "
        "character by character, as RFC 8707 and RFC 9728 have it: a realm makes one spelling.",
    ),
    _mcp(
        "mcp-no-trailing-slash",
        "SHOULD",
        "server",
        (f"{_25}#canonical-server-uri", f"{_26}#canonical-server-uri"),
        "The server's URI is used without a trailing slash throughout.",
    ),
    _mcp(
        "mcp-short-lived",
        "SHOULD",
        "realm",
        (f"{_25}#token-theft", f"{_26_SECURITY}#token-theft"),
        "Access tokens are short-lived.",
    ),
    _mcp(
        "mcp-rotate-refresh-tokens",
        "MUST",
        "realm",
        (f"{_25}#token-theft", f"{_26_SECURITY}#token-theft"),
        "Refresh tokens of public clients are rotated.",
    ),
    # The way there and back
    _mcp(
        "mcp-https",
        "MUST",
        "deployment",
        (f"{_25}#communication-security", f"{_26_SECURITY}#communication-security"),
        "All endpoints of the authorization server are served over HTTPS.",
        _TLS,
    ),
    _mcp(
        "mcp-redirects-localhost-or-https",
        "MUST",
        "realm",
        (f"{_25}#communication-security", f"{_26_SECURITY}#communication-security"),
        "Every redirect URI is on localhost or uses HTTPS.",
    ),
    _mcp(
        "mcp-exact-redirects",
        "MUST",
        "realm",
        (f"{_25}#open-redirection", f"{_26_SECURITY}#open-redirection"),
        "Redirect URIs are compared exactly with those registered.",
    ),
    _mcp(
        "mcp-no-open-redirect",
        "MUST",
        "realm",
        (f"{_25}#open-redirection", f"{_26_SECURITY}#open-redirection"),
        "Nobody is redirected to a URI that is not trusted; the error is shown instead.",
    ),
    _mcp(
        "mcp-consent-per-client",
        "MUST",
        "realm",
        (f"{_25}#confused-deputy-problem", f"{_26_SECURITY}#confused-deputy-problem"),
        "The person consents to each dynamically registered client: no client id of this server's own stands between "
        "the MCP client and the authorization server.",
    ),
)

_BEST_PRACTICES: Final = (
    _mcp(
        "best-tokens-for-this-server",
        "MUST NOT",
        "server",
        (f"{_25_BEST}#token-passthrough", f"{_26_BEST}#token-passthrough"),
        "No token is accepted that was not explicitly issued for this server.",
    ),
    _mcp(
        "best-verify-all-requests",
        "MUST",
        "server",
        (f"{_25_BEST}#session-hijacking", f"{_26_BEST}#state-handle-hijacking"),
        "Every inbound request is verified.",
    ),
    _mcp(
        "best-no-session-as-authentication",
        "MUST NOT",
        "server",
        (f"{_25_BEST}#session-hijacking", f"{_26_BEST}#state-handle-hijacking"),
        "No session and no state handle stands for authentication: the server has neither.",
    ),
    _mcp(
        "best-scope-minimal-first",
        "SHOULD",
        "server",
        (f"{_25_BEST}#scope-minimization", f"{_26_BEST}#scope-minimization"),
        "The first challenge asks for little, and later ones for what an operation needs.",
        "By default the first challenge asks for all scopes of the tools: a client that registered itself with fewer "
        "could never ask for more at Keycloak. `MCP_FIRST_SCOPES` narrows it where clients are registered by hand or "
        "by metadata document. The consent page shows each scope either way.",
    ),
    _mcp(
        "best-scope-precise-challenge",
        "SHOULD",
        "server",
        (f"{_25_BEST}#scope-minimization", f"{_26_BEST}#scope-minimization"),
        "A challenge for an operation does not return the whole catalogue of scopes.",
    ),
    _mcp(
        "best-scope-fewer-accepted",
        "SHOULD",
        "server",
        (f"{_25_BEST}#scope-minimization", f"{_26_BEST}#scope-minimization"),
        "A token with fewer scopes than were asked for is accepted for what it allows.",
    ),
    _mcp(
        "best-scope-elevation-logged",
        "SHOULD",
        "server",
        (f"{_25_BEST}#scope-minimization", f"{_26_BEST}#scope-minimization"),
        "Step-ups are logged, with an id that connects them to the request.",
    ),
    _mcp(
        "best-scope-enforced-here",
        "SHOULD",
        "server",
        (f"{_25_BEST}#scope-minimization", f"{_26_BEST}#scope-minimization"),
        "A scope in a token is not enough by itself: the server decides for each operation, Nextcloud for each file.",
    ),
    _mcp(
        "best-local-server-needs-token",
        "SHOULD",
        "server",
        (f"{_25_BEST}#local-mcp-server-compromise", f"{_26_BEST}#local-mcp-server-compromise"),
        "A server that runs on somebody's machine and speaks HTTP asks for a token.",
    ),
)

_TRANSPORT: Final = (
    _mcp(
        "transport-origin",
        "MUST",
        "server",
        (f"{_25_TRANSPORT}#security-warning", f"{_26_TRANSPORT}#security-%26-endpoint"),
        "No page elsewhere reaches the server by DNS rebinding: the Origin header is validated.",
    ),
    _mcp(
        "transport-localhost",
        "SHOULD",
        "server",
        (f"{_25_TRANSPORT}#security-warning", f"{_26_TRANSPORT}#security-%26-endpoint"),
        "A server that runs locally listens on localhost alone.",
    ),
    _mcp(
        "transport-authentication",
        "SHOULD",
        "server",
        (f"{_25_TRANSPORT}#security-warning", f"{_26_TRANSPORT}#security-%26-endpoint"),
        "All connections are authenticated.",
    ),
)

_RFC_6750: Final = (
    _rfc("rfc6750-header", "MUST", "server", "2.1", "The Authorization header with the scheme Bearer is supported."),
    _rfc(
        "rfc6750-one-method",
        "MUST NOT",
        "server",
        "2",
        "A token is not sent in more than one way; a request that repeats itself is refused as `invalid_request`.",
    ),
    _rfc("rfc6750-not-in-query", "SHOULD NOT", "server", "2.3", "Tokens in the query string are not used."),
    _rfc(
        "rfc6750-challenge",
        "MUST",
        "server",
        "3",
        "A request without a token, or with one that does not give access, is answered with `WWW-Authenticate`.",
    ),
    _rfc(
        "rfc6750-bearer-scheme",
        "MUST",
        "server",
        "3",
        "The challenge has the scheme `Bearer`, followed by one or more parameters.",
    ),
    _rfc(
        "rfc6750-parameters-once",
        "MUST NOT",
        "server",
        "3",
        "`realm`, `scope`, `error`, `error_description` and `error_uri` stand in a challenge once at most.",
    ),
    _rfc(
        "rfc6750-parameter-characters",
        "MUST NOT",
        "server",
        "3",
        "`scope`, `error` and `error_description` contain only the characters that the RFC allows.",
    ),
    _rfc(
        "rfc6750-error-with-token",
        "SHOULD",
        "server",
        "3",
        "A request whose token failed is told so by `error`.",
    ),
    _rfc("rfc6750-invalid-request", "SHOULD", "server", "3.1", "`invalid_request` comes with status 400."),
    _rfc("rfc6750-invalid-token", "SHOULD", "server", "3.1", "`invalid_token` comes with status 401."),
    _rfc("rfc6750-insufficient-scope", "SHOULD", "server", "3.1", "`insufficient_scope` comes with status 403."),
    _rfc(
        "rfc6750-no-error-without-token",
        "SHOULD NOT",
        "server",
        "3.1",
        "A request without any authentication is told of no error, neither by code nor by description.",
    ),
    _rfc("rfc6750-tls", "MUST", "deployment", "5.2", "Tokens travel over TLS alone.", _TLS),
    _rfc(
        "rfc6750-integrity", "MUST", "server", "5.2", "Tokens are protected against modification: signed, and verified."
    ),
    _rfc("rfc6750-limited-lifetime", "MUST", "realm", "5.2", "The lifetime of a token is limited."),
    _rfc("rfc6750-short-lived", "SHOULD", "realm", "5.3", "Tokens live one hour or less."),
    _rfc("rfc6750-audience", "SHOULD", "realm", "5.3", "Tokens are issued with an audience."),
    _rfc("rfc6750-scoped", "SHOULD", "realm", "5.2", "Tokens are restricted to a scope."),
    _rfc("rfc6750-no-cookies", "MUST NOT", "server", "5.3", "Tokens are not kept in cookies."),
    _rfc("rfc6750-not-in-page-urls", "SHOULD NOT", "server", "5.3", "Tokens are not passed in page URLs."),
    _rfc(
        "rfc6750-safeguard",
        "MUST",
        "server",
        "5.3",
        "Whoever holds a token keeps it from all others: here, from logs and error messages too.",
    ),
)

_RFC_8693: Final = (
    _rfc(
        "rfc8693-request",
        "MUST",
        "server",
        "2.1",
        "An exchange is a form with `grant_type`, `subject_token` and `subject_token_type`.",
    ),
    _rfc(
        "rfc8693-no-actor-token-type",
        "MUST NOT",
        "server",
        "2.1",
        "`actor_token_type` is not sent without an `actor_token`.",
    ),
    _rfc(
        "rfc8693-subject-token-validated",
        "MUST",
        "realm",
        "2.1",
        "The authorization server validates the subject token: a revoked, foreign or expired one is refused.",
    ),
    _rfc(
        "rfc8693-response",
        "MUST",
        "realm",
        "2.2.1",
        "The answer has `access_token`, `issued_token_type` and `token_type`.",
    ),
    _rfc("rfc8693-expires-in", "SHOULD", "realm", "2.2.1", "The answer has `expires_in`."),
    _rfc(
        "rfc8693-scope-if-different",
        "MUST",
        "realm",
        "2.2.1",
        "The answer names the scope of the issued token where it is not the one that was asked for.",
    ),
    _rfc(
        "rfc8693-error-invalid-request",
        "MUST",
        "realm",
        "2.2.2",
        "A request that is invalid, or whose subject token is not acceptable, is refused with `invalid_request`.",
        "Keycloak says `access_denied`, with status 403, where the requester is not in the subject token's audience.",
    ),
    _rfc(
        "rfc8693-error-invalid-target",
        "SHOULD",
        "realm",
        "2.2.2",
        "An audience for which no token is issued is refused with `invalid_target`.",
        "Keycloak says `invalid_request`, or `invalid_client` for an audience that is no client: refused all the same.",
    ),
    _rfc(
        "rfc8693-response-checked",
        "MUST",
        "server",
        "2.2.1",
        "The server takes an answer for a token only if it is one of the type asked for.",
    ),
    _rfc(
        "rfc8693-client-authentication",
        "SHOULD",
        "realm",
        "5",
        "Only authenticated clients exchange, so that a token that leaked is not turned into others.",
    ),
    _rfc(
        "rfc8693-encrypted-channel",
        "MUST",
        "deployment",
        "6",
        "Subject tokens and issued tokens travel over encrypted channels.",
        _TLS,
    ),
    _rfc(
        "rfc8693-minimal-data",
        "SHOULD",
        "realm",
        "6",
        "Issued tokens hold no more of the person than is needed.",
    ),
)

_RFC_8707: Final = (
    _rfc(
        "rfc8707-absolute-uri",
        "MUST",
        "server",
        "2",
        "The resource identifier is an absolute URI without a fragment.",
    ),
    _rfc("rfc8707-no-query", "SHOULD NOT", "server", "2", "The resource identifier has no query."),
    _rfc(
        "rfc8707-most-specific",
        "SHOULD",
        "server",
        "2",
        "The resource identifier is as specific as it can be: the URL of the endpoint, path included.",
    ),
    _rfc(
        "rfc8707-audience-restricted",
        "SHOULD",
        "realm",
        "2",
        "A token that was asked for with `resource` is restricted to that resource.",
        "Keycloak 26.7 ignores `resource` unless its experimental feature `resource-indicators` is on. Tokens are "
        "restricted by the server's scope instead, which each challenge names, and which gives the same audience.",
    ),
    _rfc(
        "rfc8707-invalid-target",
        "SHOULD",
        "realm",
        "2",
        "A resource that is malformed or unknown is refused with `invalid_target`.",
        "Keycloak 26.7 ignores `resource` unless its experimental feature `resource-indicators` is on.",
    ),
    _rfc(
        "rfc8707-one-resource",
        "SHOULD",
        "realm",
        "3",
        "A token for several resources, which each of them could use at the others, is avoided.",
        "Pass-through mode needs a token for this server and for Nextcloud. Exchange mode does not.",
    ),
)

_RFC_8725: Final = (
    _rfc(
        "rfc8725-algorithms-listed",
        "MUST",
        "server",
        "3.1",
        "Only algorithms of a list that the server gives are used, whatever the token's header says.",
    ),
    _rfc(
        "rfc8725-one-algorithm-per-key",
        "MUST",
        "server",
        "3.1",
        "A key is used with its own kind of algorithm: no public key as a shared secret.",
    ),
    _rfc("rfc8725-current-algorithms", "MUST", "server", "3.2", "Only current algorithms are allowed."),
    _rfc("rfc8725-no-none", "SHOULD NOT", "server", "3.2", "A token with the algorithm `none` is not accepted."),
    _rfc(
        "rfc8725-all-operations-validated",
        "MUST",
        "server",
        "3.3",
        "A token of which any signature fails is refused as a whole.",
    ),
    _rfc(
        "rfc8725-inputs-validated",
        "MUST",
        "server",
        "3.4",
        "Inputs of cryptographic operations are validated: a key or a signature of another kind is an invalid token.",
    ),
    _rfc(
        "rfc8725-key-entropy",
        "MUST",
        "realm",
        "3.5",
        "Keys have enough entropy: tokens are signed with generated key pairs, never with a password.",
    ),
    _rfc("rfc8725-utf8", "MUST", "server", "3.7", "Header and claims are UTF-8, and nothing else is read."),
    _rfc("rfc8725-issuer-keys", "MUST", "server", "3.8", "A token is verified with keys of the issuer that it names."),
    _rfc("rfc8725-subject", "MUST", "server", "3.8", "A token without a usable subject is refused."),
    _rfc(
        "rfc8725-audience-present",
        "MUST",
        "realm",
        "3.9",
        "Tokens that are meant for one of several applications have an audience.",
    ),
    _rfc(
        "rfc8725-audience-validated",
        "MUST",
        "server",
        "3.9",
        "A token without an audience, or with another's, is refused.",
    ),
    _rfc("rfc8725-kid", "SHOULD", "server", "3.10", "`kid` is looked up as a name, and can inject nothing."),
    _rfc("rfc8725-jku-x5u", "SHOULD", "server", "3.10", "Addresses in a token's header are not followed."),
    _rfc(
        "rfc8725-explicit-typing",
        "SHOULD",
        "realm",
        "3.11",
        "Tokens say in their header of which kind they are.",
        _TYPED_JWT,
    ),
    _rfc(
        "rfc8725-mutually-exclusive",
        "MUST",
        "server",
        "3.12",
        "What makes an access token valid makes no ID token, refresh token or other JWT of the issuer valid.",
    ),
)

_RFC_9068: Final = (
    _rfc("rfc9068-signed", "MUST", "realm", "2.1", "Access tokens are signed, and not with `none`."),
    _rfc("rfc9068-asymmetric", "SHOULD", "realm", "2.1", "Access tokens are signed with an asymmetric algorithm."),
    _rfc("rfc9068-rs256", "MUST", "server", "2.1", "RS256 is among the supported algorithms."),
    _rfc("rfc9068-typ-issued", "MUST", "realm", "2.1", "Access tokens have the type `at+jwt`.", _TYPED_JWT),
    _rfc(
        "rfc9068-claims",
        "MUST",
        "realm",
        "2.2",
        "Access tokens have `iss`, `exp`, `aud`, `sub`, `client_id`, `iat` and `jti`.",
        "Keycloak's have `azp` for `client_id`; our server reads either.",
    ),
    _rfc(
        "rfc9068-scope-claim",
        "SHOULD",
        "realm",
        "2.2.3",
        "A token that was asked for with a scope has the claim `scope`.",
    ),
    _rfc(
        "rfc9068-scope-meaning",
        "MUST",
        "realm",
        "2.2.3",
        "Every scope in a token means something to the audience of the token.",
        "The realm has the scopes of all apps, and a client may ask for one whose tools this server has not got yet; "
        "it then means nothing here, and opens nothing.",
    ),
    _rfc(
        "rfc9068-audience-is-resource",
        "SHOULD",
        "realm",
        "3",
        "`aud` is the value of `resource` in the request.",
        "So it is with Keycloak's experimental feature `resource-indicators`. Without it `resource` is ignored, and "
        "the audience comes from the server's scope, which gives the same URL.",
    ),
    _rfc(
        "rfc9068-default-audience",
        "MUST",
        "realm",
        "3",
        "Without `resource` the audience is a default, inferred from the scopes that were asked for.",
        "A token asked for without a server's scope has no audience at all: no server takes it, ours included.",
    ),
    _rfc(
        "rfc9068-no-ambiguity",
        "SHOULD",
        "realm",
        "3",
        "A request whose scopes belong to different resources is refused.",
    ),
    _rfc("rfc9068-keys-published", "SHOULD", "realm", "4", "Issuer and signing keys are published as metadata."),
    _rfc(
        "rfc9068-typ-verified",
        "MUST",
        "server",
        "4",
        "A token of another type than `at+jwt` is refused.",
        _TYPED_JWT,
    ),
    _rfc("rfc9068-issuer-verified", "MUST", "server", "4", "`iss` equals the authorization server's issuer exactly."),
    _rfc("rfc9068-audience-verified", "MUST", "server", "4", "`aud` contains the identifier of this server."),
    _rfc(
        "rfc9068-signature-verified",
        "MUST",
        "server",
        "4",
        "The signature is verified with the authorization server's keys, and `none` is refused.",
    ),
    _rfc("rfc9068-exp-verified", "MUST", "server", "4", "The time is before `exp`, give or take a small leeway."),
    _rfc(
        "rfc9068-invalid-token",
        "MUST",
        "server",
        "4",
        "Whatever of this fails, the answer is `invalid_token` (RFC 6750).",
    ),
    _rfc(
        "rfc9068-authorization-claims",
        "SHOULD",
        "server",
        "4",
        "The scopes in the token decide what the request may do, besides what else the server knows.",
    ),
    _rfc(
        "rfc9068-distinct-audiences",
        "MUST",
        "realm",
        "5",
        "Different resources have different audiences, so that a token for one is none for another.",
    ),
    _rfc(
        "rfc9068-subject-not-chosen",
        "SHOULD",
        "realm",
        "5",
        "No client can choose a subject that could be taken for a person's.",
    ),
)

_RFC_9112: Final = (
    _rfc(
        "rfc9112-length-or-coding",
        "MUST",
        "server",
        "6.1",
        "The connection of a request that has both a length and a transfer coding, or a coding in HTTP/1.0, is closed.",
    ),
    _rfc("rfc9112-bad-length", "MUST", "server", "6.3", "A request whose length is invalid is answered with 400."),
)

_RFC_9728: Final = (
    _rfc(
        "rfc9728-resource-https",
        "MUST",
        "deployment",
        "1.2",
        "The resource identifier is an https URL without a fragment.",
        "The demo's is `http://localhost:…`; the server's setting takes https URLs, and refuses a fragment.",
    ),
    _rfc("rfc9728-resource", "MUST", "server", "2", "The metadata has `resource`, the resource identifier."),
    _rfc("rfc9728-scopes-supported", "SHOULD", "server", "2", "The metadata has `scopes_supported`."),
    _rfc("rfc9728-resource-name", "SHOULD", "server", "2", "The metadata has `resource_name`, for people."),
    _rfc(
        "rfc9728-well-known",
        "MUST",
        "server",
        "3",
        "The metadata is at the URL that has the well-known string between host and path of the resource identifier.",
    ),
    _rfc("rfc9728-get", "MUST", "server", "3.1", "The metadata is there for an HTTP GET."),
    _rfc(
        "rfc9728-no-terminating-slash",
        "MUST",
        "server",
        "3.1",
        "A slash that ends the host is dropped before the well-known string is inserted.",
    ),
    _rfc("rfc9728-response", "MUST", "server", "3.2", "The answer is 200, `application/json`, a JSON object."),
    _rfc("rfc9728-no-empty-parameters", "MUST", "server", "3.2", "Parameters with zero values are left out."),
    _rfc(
        "rfc9728-resource-identical",
        "MUST",
        "server",
        "3.3",
        "`resource` is identical to the URL that the client used to make its request.",
    ),
    _rfc("rfc9728-code-point-comparison", "MUST", "server", "6", "Strings are compared code point by code point."),
    _rfc("rfc9728-tls", "MUST", "deployment", "7.1", "Metadata is served over TLS.", _TLS),
    _rfc(
        "rfc9728-audience-restricted",
        "SHOULD",
        "realm",
        "7.4",
        "The authorization server issues audience-restricted tokens, which one resource server cannot use at another.",
    ),
)

REQUIREMENTS: Final[dict[str, Requirement]] = {
    requirement.id: requirement
    for requirement in (
        *_LIMITS,
        *_MCP,
        *_BEST_PRACTICES,
        *_TRANSPORT,
        *_RFC_6750,
        *_RFC_8693,
        *_RFC_8707,
        *_RFC_8725,
        *_RFC_9068,
        *_RFC_9112,
        *_RFC_9728,
    )
}


def marked_tests() -> dict[str, list[str]]:
    """Return the tests that name each id, known or not: `tests/file.py::test_name`, sorted.

    A bad token names the ids that it shows itself.
    """
    tests: dict[str, list[str]] = {}
    for name, token in REFUSED.items():
        for identifier in token.shows:
            tests.setdefault(identifier, []).append(f"{REFUSES}[{name}]")
    for file in sorted(TESTS.rglob("test_*.py")):
        for function, identifier in _markers(ast.parse(file.read_text())):
            tests.setdefault(identifier, []).append(f"{file.relative_to(TESTS.parent)}::{function}")
    return tests


def _markers(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the name of each test of a module with each id that its decorators name."""
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in function.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{MARKER}":
                    for argument in decorator.args:
                        yield function.name, str(ast.literal_eval(argument))


def table() -> str:
    """Return the page of the documentation."""
    lines = [
        "# Requirements of the specifications, and their tests",
        "",
        "<!-- written by `python -m tests.requirements`; change tests/requirements.py or the tests' markers -->",
        "",
        "Every MUST and SHOULD that binds the server, the realm or a deployment, with the tests that show it, or with",
        "what is otherwise and why.",
    ]
    tests = marked_tests()
    for prefix, source in SOURCES.items():
        lines += ["", f"## {source}", "", "| requirement | level | binds | shown by |", "| --- | --- | --- | --- |"]
        lines += [
            _row(requirement, tests.get(requirement.id, []))
            for requirement in REQUIREMENTS.values()
            if requirement.id.partition("-")[0] == prefix
        ]
    return "\n".join(lines) + "\n"


def _row(requirement: Requirement, tests: list[str]) -> str:
    links = ", ".join(f"[{_section(link)}]({link})" for link in requirement.links)
    shown = [f"[`{test.rpartition('::')[2]}`](../../{test.partition('::')[0]})" for test in tests]
    shown += [f"*{requirement.divergence}*"] if requirement.divergence else []
    text = f'<a id="{requirement.id}"></a>{requirement.text} ({links})'
    return f"| {text} | {requirement.level} | {requirement.binds} | {'<br>'.join(shown) or 'open'} |"


def _section(link: str) -> str:
    """Return what to call a link: a section's number, or the version of MCP."""
    page, _, anchor = link.partition("#")
    if anchor.startswith("section-"):
        return anchor.replace("section-", "§")
    return "2026-07-28" if "2026-07-28" in page else "2025-11-25"


if __name__ == "__main__":
    sys.stdout.write(table())
