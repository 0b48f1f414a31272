"""List and render prompts (MCP, "Prompts"). A prompt reads no data, so it needs no admission."""

from inspect import Parameter, signature
from typing import Annotated, Any, get_args, get_origin

import mcp_types as mcp
from pydantic.fields import FieldInfo

from nextcloud_mcp.boundary.arguments import Arguments
from nextcloud_mcp.boundary.declaration import Prompt


class Writer:
    """Renders one prompt."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.name = prompt.function.__name__
        parameters = signature(prompt.function, eval_str=True).parameters
        self._arguments = Arguments(self.name, parameters)
        self.listed = mcp.Prompt(
            name=self.name,
            title=prompt.title,
            description=prompt.function.__doc__,
            arguments=[_listed(parameter) for parameter in parameters.values()],
        )

    def write(self, given: dict[str, Any]) -> mcp.GetPromptResult:
        """Return the prompt's text.

        Raises:
            InvalidArgumentError: an argument is missing, unknown or invalid.
        """
        text = self.prompt.function(**self._arguments.read(given))
        message = mcp.PromptMessage(role="user", content=mcp.TextContent(type="text", text=text))
        return mcp.GetPromptResult(description=self.listed.description, messages=[message])


def _listed(parameter: Parameter) -> mcp.PromptArgument:
    metadata = get_args(parameter.annotation)[1:] if get_origin(parameter.annotation) is Annotated else ()
    description = next((each.description for each in metadata if isinstance(each, FieldInfo)), None)
    return mcp.PromptArgument(
        name=parameter.name, description=description, required=parameter.default is Parameter.empty
    )
