"""Differences between the live realm and the shipped one; the steps change nothing in Keycloak."""

import json
import shlex
from collections.abc import Iterator
from typing import Any, Final

import anyio.to_thread

from nextcloud_mcp.clients.admin import POLICIES
from nextcloud_mcp.doctor import assigned, live_realm, page_clients, realm_file
from nextcloud_mcp.doctor.deployment import Deployment
from nextcloud_mcp.doctor.finding import Finding, Problem, readable
from nextcloud_mcp.doctor.realm_file import Comparison, Difference
from nextcloud_mcp.doctor.report import Step

SETTINGS: Final = frozenset(
    {"clientScopes", "clients", "users", "components", "clientProfiles", "clientPolicies"}
    | {"defaultDefaultClientScopes", "defaultOptionalClientScopes", "realm", "localizationTexts"}
    | {"roles", "clientScopeMappings", "scopeMappings", "adminPermissionsClient"}
)
"""The keys of a realm file that are not settings of the realm itself."""

_CONSOLE_POLICIES: Final = "Realm settings > Client policies"
_CONSOLE_REGISTRATION: Final = "Clients > Client registration"


async def access(deployment: Deployment) -> Finding:
    """Read the whole live realm."""
    deployment.shipped = realm_file.read(deployment.options.realm_file)
    deployment.live = await anyio.to_thread.run_sync(live_realm.read, deployment)
    deployment.comparison = Comparison(_known(deployment))
    return Finding(f"{deployment.realm} at {deployment.keycloak_url}")


async def realm(deployment: Deployment) -> Finding:
    """Compare the realm's own settings."""
    wanted = {name: value for name, value in deployment.shipped.items() if name not in SETTINGS}
    problems = [
        Problem(
            _differs(f"the realm {deployment.realm}", each), f"kcadm.sh update realms/{deployment.realm} {_set(each)}"
        )
        for each in deployment.comparison.differences(wanted, deployment.live["realm"])
    ]
    problems += [*_texts(deployment), *_missing_themes(deployment)]
    return _found(problems, f"{len(wanted)} settings")


def _missing_themes(deployment: Deployment) -> Iterator[Problem]:
    """Report each theme that the realm names and Keycloak does not have; it then uses its default theme."""
    for kind, installed in deployment.live["themes"].items():
        name = deployment.live["realm"].get(f"{kind}Theme")
        if name and name not in installed:
            yield Problem(
                f"Keycloak has no {kind} theme {name}, which the realm {deployment.realm} names",
                f"copy keycloak/themes/{name} into Keycloak's folder themes, and restart Keycloak",
            )


def _texts(deployment: Deployment) -> Iterator[Problem]:
    """Compare the realm's localization texts, which its representation does not include."""
    for language, wanted in deployment.shipped.get("localizationTexts", {}).items():
        live = deployment.live["localizationTexts"].get(language, {})
        for each in deployment.comparison.differences(wanted, live):
            body = shlex.quote(json.dumps({each.dotted: each.wanted}))
            yield Problem(
                _differs(f"the realm's texts in the language {language!r}", each),
                f"kcadm.sh create localization/{language} -r {deployment.realm} -b {body}",
            )


def _known(deployment: Deployment) -> dict[str, str]:
    """Return the placeholder values that follow from the settings; the others are taken from the live realm."""
    settings = deployment.settings
    return {f"MCP_{settings.mode.replace('-', '_').upper()}_URL": settings.client_id}


async def scopes(deployment: Deployment) -> Finding:
    """Compare the client scopes and their mappers, which decide a token's claims and access."""
    live = {scope["name"]: scope for scope in deployment.live["clientScopes"]}
    problems: list[Problem] = []
    for scope in deployment.shipped["clientScopes"]:
        found = live.get(scope["name"])
        problems += [_scope_missing(deployment, scope)] if found is None else _scope(deployment, scope, found)
    new_clients = {name: [each["name"] for each in deployment.live[name]] for name in assigned.REALM.values()}
    holder = assigned.ScopeOwner("A new client", "default-", assigned.REALM)
    problems += assigned.problems(deployment, holder, deployment.shipped, new_clients)
    return _found(problems, f"{len(deployment.shipped['clientScopes'])} client scopes")


def _scope_missing(deployment: Deployment, scope: dict[str, Any]) -> Problem:
    body = shlex.quote(deployment.comparison.for_creation(scope))
    fix = f"kcadm.sh create client-scopes -r {deployment.realm} -b {body}"
    return Problem(f"The client scope {scope['name']} is missing", fix)


def _scope(deployment: Deployment, scope: dict[str, Any], live: dict[str, Any]) -> Iterator[Problem]:
    plain = {name: value for name, value in scope.items() if name != "protocolMappers"}
    resource = f"client-scopes/{live['id']} -r {deployment.realm}"
    about = f"the client scope {scope['name']}"
    for each in deployment.comparison.differences(plain, live):
        yield Problem(_differs(about, each), f"kcadm.sh update {resource} {_set(each)}")
    yield from _mappers(deployment, scope, live)


def _mappers(deployment: Deployment, scope: dict[str, Any], live: dict[str, Any]) -> Iterator[Problem]:
    models = f"client-scopes/{live['id']}/protocol-mappers/models"
    wanted = {mapper["name"]: mapper for mapper in scope.get("protocolMappers", [])}
    found = {mapper["name"]: mapper for mapper in live.get("protocolMappers", [])}
    for name in sorted(wanted.keys() - found.keys()):
        body = deployment.comparison.for_creation(wanted[name])
        fix = f"kcadm.sh create {models} -r {deployment.realm} -b {shlex.quote(body)}"
        yield Problem(f"The mapper {name} of the client scope {scope['name']} is missing", fix)
    for name in sorted(found.keys() - wanted.keys()):
        fix = f"kcadm.sh delete {models}/{found[name]['id']} -r {deployment.realm}"
        yield Problem(f"The client scope {scope['name']} has a mapper {name} that it should not have", fix)
    for name in sorted(wanted.keys() & found.keys()):
        for each in deployment.comparison.differences(wanted[name], found[name]):
            fix = f"kcadm.sh update {models}/{found[name]['id']} -r {deployment.realm} {_set(each)}"
            yield Problem(_differs(f"the mapper {name} of the client scope {scope['name']}", each), fix)


async def clients(deployment: Deployment) -> Finding:
    """Compare the clients of the file; client policies apply to clients that registered themselves."""
    live = {client["clientId"]: client for client in deployment.live["clients"]}
    problems: list[Problem] = []
    for client in deployment.shipped["clients"]:
        if "authorizationSettings" in client:  # Keycloak's own: it makes this client itself, with other flags
            continue
        client_id = deployment.comparison.filled(client["clientId"]) or client["clientId"]
        found = live.get(client_id)
        if found is None:
            if page_clients.is_optional(deployment, client_id):
                continue
            fix = f"Clients > Import client, with this of keycloak/realm-export.json: {client['clientId']}"
            problems.append(Problem(f"The client {client_id} is missing", fix))
            continue
        problems += _client(deployment, client, found)
    return _found(problems, f"{len(deployment.shipped['clients'])} clients")


def _client(deployment: Deployment, client: dict[str, Any], live: dict[str, Any]) -> Iterator[Problem]:
    about, path = f"the client {live['clientId']}", f"clients/{live['id']}"
    for each in deployment.comparison.differences(_stated(client), live):
        yield Problem(_differs(about, each), f"kcadm.sh update {path} -r {deployment.realm} {_set(each)}")
    if live["clientId"] in page_clients.PAGES:
        yield from page_clients.problems(deployment, client, live)
    holder = assigned.ScopeOwner(_sentence(about), f"{path}/", assigned.CLIENT)
    yield from assigned.problems(deployment, holder, client, live)


def _stated(client: dict[str, Any]) -> dict[str, Any]:
    """Return a client of the file without its scopes, and without what is compared otherwise.

    If a client lists no `webOrigins`, Keycloak fills in the origins of the redirect URIs.
    """
    left_out = {*assigned.CLIENT.values(), *([] if client.get("webOrigins") else ["webOrigins"])}
    left_out |= {"enabled", "redirectUris"} if client["clientId"] in page_clients.PAGES else set()
    return {name: value for name, value in client.items() if name not in left_out}


async def policies(deployment: Deployment) -> Finding:
    """Compare the client policies and profiles: they require PKCE, and limit the grants and the token exchange."""
    problems: list[Problem] = []
    count = 0
    for kind, part in (("profile", "profiles"), ("policy", "policies")):
        top = f"client{part.capitalize()}"
        live = {each["name"]: each for each in deployment.live[top][part]}
        wanted = {each["name"]: each for each in deployment.shipped[top][part]}
        count += len(wanted)
        where = f"{_CONSOLE_POLICIES} > {part.capitalize()}"
        for name, each in wanted.items():
            problems += _policy(deployment, f"the client {kind} {name}", each, live.get(name), f"{where} > {name}")
    return _found(problems, f"{count} profiles and policies")


def _policy(deployment: Deployment, about: str, wanted: dict[str, Any], found: Any, where: str) -> Iterator[Problem]:
    if found is None:
        yield Problem(
            f"{_sentence(about)} is missing", f"{where}: add it as in keycloak/realm-export.json (JSON editor)"
        )
        return
    for each in deployment.comparison.differences(wanted, found):
        yield Problem(
            _differs(about, each), f"{where}: set {each.dotted} as in keycloak/realm-export.json (JSON editor)"
        )


async def registration(deployment: Deployment) -> Finding:
    """Compare the client registration policies: who may register, and with which properties."""
    live = {(each["providerId"], each.get("subType")): each for each in deployment.live["components"]}
    wanted = deployment.shipped["components"][POLICIES]
    problems: list[Problem] = []
    for each in wanted:
        about = f"the registration policy {each['name']} ({each['subType']})"
        found = live.get((each["providerId"], each["subType"]))
        if found is None:
            where = f"{_CONSOLE_REGISTRATION} > {each['subType'].capitalize()} access policies"
            problems.append(
                Problem(
                    f"{_sentence(about)} is missing", f"{where} > Add client registration policy > {each['providerId']}"
                )
            )
            continue
        for difference in deployment.comparison.differences(each, found):
            resource = f"components/{found['id']} -r {deployment.realm}"
            problems.append(Problem(_differs(about, difference), f"kcadm.sh update {resource} {_set(difference)}"))
    return _found(problems, f"{len(wanted)} policies")


def _found(problems: list[Problem], compared: str) -> Finding:
    return Finding(
        f"{compared} compared, {len(problems) or 'no'} difference{'' if len(problems) == 1 else 's'}", tuple(problems)
    )


def _differs(about: str, each: Difference) -> str:
    if isinstance(each.wanted, list) and isinstance(each.found, list):
        lacks = [value for value in each.wanted if value not in each.found]
        besides = [value for value in each.found if value not in each.wanted]
        parts = [f"lacks {readable(lacks)}"] if lacks else []
        parts += [f"has {readable(besides)} besides"] if besides else []
        return f"{_sentence(about)}, in {each.dotted}, {' and '.join(parts) or 'has another order'}"
    return f"{_sentence(about)} has {each.dotted} {_shown(each.found)} in place of {_shown(each.wanted)}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def _set(each: Difference) -> str:
    """Return the kcadm option that sets the file's value."""
    value = each.wanted if isinstance(each.wanted, str) else json.dumps(each.wanted)
    return f"-s {shlex.quote(f'{each.dotted}={value}')}"


STEPS: Final = (
    Step("drift.access", "access", "An administrator may read the live realm.", access, ("issuer.metadata",)),
    Step("drift.realm", "realm", "The live realm has the settings of the shipped one.", realm, ("drift.access",)),
    Step(
        "drift.scopes",
        "client scopes",
        "The live realm has its scopes, with their mappers and no others, and gives new clients the same.",
        scopes,
        ("drift.access",),
    ),
    Step(
        "drift.clients",
        "clients",
        "The live realm has its clients, with their flags and scopes.",
        clients,
        ("drift.access",),
    ),
    Step(
        "drift.policies",
        "client policies",
        "The live realm has its client policies and profiles.",
        policies,
        ("drift.access",),
    ),
    Step(
        "drift.registration",
        "registration",
        "The live realm has its policies of client registration.",
        registration,
        ("drift.access",),
    ),
)
