"""Read resources and complete their URIs (MCP, "Resources" and "Completion")."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from mcp.shared.uri_template import UriTemplate
from mcp_types import BlobResourceContents, Completion, ReadResourceResult, TextResourceContents
from pydantic_core import to_json

from nextcloud_mcp.boundary.call import Call
from nextcloud_mcp.boundary.declaration import Content, Resource
from nextcloud_mcp.boundary.function import Function
from nextcloud_mcp.errors import InvalidArgumentError, quoted

MAX_PROPOSALS: Final = 100
"""Maximum values of one completion (MCP, "Completion Results")."""

_IN_THE_URI: Final = " in the URI"


class Reader:
    """Reads one resource, or the resources of one template."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._variables = frozenset(UriTemplate.parse(resource.uri).variable_names)
        self._function = Function(resource.function, resource.uri, place=_IN_THE_URI)
        self._completions = {
            variable: Function(function, resource.uri, place=_IN_THE_URI)
            for variable, function in resource.complete.items()
        }

    @property
    def is_template(self) -> bool:
        """Whether the URI has variables."""
        return bool(self._variables)

    @property
    def described(self) -> dict[str, Any]:
        """The fields of the resource in a list, except its URI."""
        return {
            "name": self.resource.function.__name__,
            "title": self.resource.title,
            "description": self.resource.function.__doc__,
            "mime_type": self.resource.mime_type,
        }

    async def read(self, uri: str, values: Mapping[str, str], call: Call) -> ReadResourceResult:
        """Read the resource at `uri`; `values` are the values of its variables.

        Raises:
            InvalidArgumentError: a value is invalid.
        """
        found = await self._function.run(values, call)
        if not isinstance(found, Content):
            found = Content(to_json(found).decode(), self.resource.mime_type)
        if isinstance(found.data, str):
            return ReadResourceResult(
                contents=[TextResourceContents(uri=uri, text=found.data, mime_type=found.mime_type)]
            )
        blob = base64.b64encode(found.data).decode()
        return ReadResourceResult(contents=[BlobResourceContents(uri=uri, blob=blob, mime_type=found.mime_type)])

    async def complete(self, variable: str, value: str, known: Mapping[str, str], call: Call) -> Completion:
        """Propose values for a variable; `known` are the values of other variables of the URI.

        Raises:
            InvalidArgumentError: the URI has no such variable, or `known` lacks one that the proposals need.
        """
        for name in (variable, *known):
            if name not in self._variables:
                variables = ", ".join(sorted(self._variables)) or "no variables"
                raise InvalidArgumentError(
                    "Unknown argument {name}",
                    "{uri} has {variables}",
                    name=quoted(name),
                    uri=self.resource.uri,
                    variables=variables,
                )
        if variable not in self._completions:
            return Completion(values=[], total=0, has_more=False)
        function = self._completions[variable]
        needed = {name: text for name, text in known.items() if name in function.arguments.names}
        found = await function.run(needed | {"value": value}, call)
        return Completion(values=found[:MAX_PROPOSALS], total=len(found), has_more=len(found) > MAX_PROPOSALS)
