"""The scopes that each feature needs, and the features that a server offers.

Nextcloud does not enforce OAuth scopes: a token that it accepts can do everything that its user can. Only the scopes
declared here restrict a token, and `auth.admission` checks them before a call. Each app declares what its features
need; this module knows no app.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from mcp.shared.uri_template import UriTemplate


class Feature(NamedTuple):
    """A tool or resource that requests use.

    Attributes:
        kind: a tool, a resource, or the completion of a resource's URI.
        name: the tool's name, or the resource's URI template.
    """

    kind: Literal["tool", "resource", "completion"]
    name: str

    def event(self, outcome: str) -> str:
        """Return the name of a log event, such as `tool.done`."""
        return f"{self.kind}.{outcome}"

    @property
    def label(self) -> dict[str, str]:
        """The log field that contains the name."""
        return {self.kind: self.name}


def no_further_scopes(_: Mapping[str, Any]) -> frozenset[str]:
    """Return no further scopes, whatever the arguments are."""
    return frozenset()


class Requirement(NamedTuple):
    """The scopes that one feature needs.

    Attributes:
        feature: a tool or a resource.
        scopes: every use needs all of them. A feature that reaches beyond its own app needs several: a share makes
            files readable in another way.
        more_scopes: returns the further scopes that some arguments need. The arguments are not validated and may have
            any type, so arguments that may do harm need the scope.
    """

    feature: Feature
    scopes: frozenset[str]
    more_scopes: Callable[[Mapping[str, Any]], frozenset[str]] = no_further_scopes

    @property
    def apps(self) -> frozenset[str]:
        """The apps that the scopes name: `notes` for `notes:read`."""
        return frozenset(app_of(scope) for scope in self.scopes)


class Offer:
    """The features that one server offers; clients never see the others."""

    def __init__(
        self, requirements: Iterable[Requirement], *, read_only: bool = False, apps: Collection[str] = ()
    ) -> None:
        """Offer all features, or some.

        Args:
            requirements: what the apps declare.
            read_only: offer only features that need no write scope.
            apps: offer only features of these apps, by the names in scopes; empty means all.
        """
        self._read_only = read_only
        self._apps = frozenset(apps)
        self._offered = {each.feature: each for each in requirements if self._is_offered(each)}
        self.tools: Final = self._scopes_by_name("tool")
        self.resources: Final = self._scopes_by_name("resource")
        self._templates: Final = {uri: UriTemplate.parse(uri) for uri in self.resources}

    def scopes(self) -> list[str]:
        """Return all scopes that the features need, sorted."""
        return sorted(frozenset[str]().union(*(each.scopes for each in self._offered.values())))

    def has(self, feature: Feature) -> bool:
        """Return whether `feature` is offered."""
        return feature in self._offered

    def missing(
        self, feature: Feature, granted: frozenset[str], arguments: Mapping[str, Any] | None = None
    ) -> frozenset[str]:
        """Return the scopes that `feature` and its `arguments` need and `granted` lacks.

        Raises:
            KeyError: the feature is not offered; an undeclared feature must never run.
        """
        guarded = Feature("resource", feature.name) if feature.kind == "completion" else feature
        requirement = self._offered[guarded]
        return (requirement.scopes | requirement.more_scopes(arguments or {})) - granted

    def resource_at(self, uri: str) -> tuple[str, dict[str, str]] | None:
        """Return the template of the resource at `uri` and the decoded values of its variables, or None."""
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
    """Return the app that a scope names: `notes` for `notes:read`."""
    return scope.partition(":")[0]
