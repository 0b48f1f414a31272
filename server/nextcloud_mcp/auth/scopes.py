"""Which scopes the use of a feature needs, and which features a server offers.

Nextcloud enforces no OAuth scopes: a token that it accepts opens everything its user may do. So what is declared here
is the only place where a token is worth less than its user, and `auth.admission` is the only place that asks for it
before a call. What each feature needs, its app declares; this module knows no app.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from mcp.shared.uri_template import UriTemplate


class Feature(NamedTuple):
    """What a request makes use of.

    Attributes:
        kind: a tool, a resource, or the completion of a resource's URI.
        name: the tool's name, or the resource's URI template.
    """

    kind: Literal["tool", "resource", "completion"]
    name: str

    def event(self, outcome: str) -> str:
        """Return the name of a log event: `tool.done`."""
        return f"{self.kind}.{outcome}"

    @property
    def label(self) -> dict[str, str]:
        """What names it in a log event."""
        return {self.kind: self.name}


def nothing_more(_: Mapping[str, Any]) -> frozenset[str]:
    """Need no further scope, whatever the arguments are."""
    return frozenset()


class Requirement(NamedTuple):
    """What the use of one feature needs.

    Attributes:
        feature: a tool or a resource.
        scopes: needed by every use. What one scope guards, no other opens, so there are several where a feature reaches
            further than its own app: a share makes files readable by another way.
        more_scopes: returns what is needed besides for some arguments. They are as the caller wrote them, of any type:
            whatever is not plainly harmless needs the scope.
    """

    feature: Feature
    scopes: frozenset[str]
    more_scopes: Callable[[Mapping[str, Any]], frozenset[str]] = nothing_more

    @property
    def apps(self) -> frozenset[str]:
        """The apps that the scopes name: of `notes:read`, `notes`."""
        return frozenset(app_of(scope) for scope in self.scopes)


class Offer:
    """What one server offers of all there is; what it does not offer is as if it did not exist."""

    def __init__(
        self, requirements: Iterable[Requirement], *, read_only: bool = False, apps: Collection[str] = ()
    ) -> None:
        """Offer everything, or less.

        Args:
            requirements: what the apps declare.
            read_only: only what no writing scope is needed for.
            apps: only these, as their scopes name them; none is all.
        """
        self._read_only = read_only
        self._apps = frozenset(apps)
        self._offered = {each.feature: each for each in requirements if self._is_offered(each)}
        self.tools: Final = self._scopes_by_name("tool")
        self.resources: Final = self._scopes_by_name("resource")
        self._templates: Final = {uri: UriTemplate.parse(uri) for uri in self.resources}

    def scopes(self) -> list[str]:
        """Every scope that something needs, sorted."""
        return sorted(frozenset[str]().union(*(each.scopes for each in self._offered.values())))

    def has(self, feature: Feature) -> bool:
        """Say whether `feature` is offered."""
        return feature in self._offered

    def missing(
        self, feature: Feature, granted: frozenset[str], arguments: Mapping[str, Any] | None = None
    ) -> frozenset[str]:
        """Return what `granted` lacks for `feature`; with `arguments`, for its use with these.

        Raises:
            KeyError: it is not offered; a feature that nobody declared must never run.
        """
        guarded = Feature("resource", feature.name) if feature.kind == "completion" else feature
        requirement = self._offered[guarded]
        return (requirement.scopes | requirement.more_scopes(arguments or {})) - granted

    def resource_at(self, uri: str) -> tuple[str, dict[str, str]] | None:
        """Return the template of the resource at `uri` and what `uri` fills in, decoded."""
        for name, template in self._templates.items():
            values = template.match(uri)
            if values is not None:
                return name, {variable: str(value) for variable, value in values.items()}
        return None

    def _is_offered(self, requirement: Requirement) -> bool:
        writes = any(scope.endswith(":write") for scope in requirement.scopes)
        return not (self._read_only and writes) and not (self._apps and requirement.apps - self._apps)

    def _scopes_by_name(self, kind: str) -> dict[str, frozenset[str]]:
        return {feature.name: each.scopes for feature, each in self._offered.items() if feature.kind == kind}


def app_of(scope: str) -> str:
    """Return the app that a scope names: of `notes:read`, `notes`."""
    return scope.partition(":")[0]
