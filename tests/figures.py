"""`make figures`: the sizes of the server's parts, compared with the limits that the project has set itself."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SERVER: Final = Path(__file__).parents[1] / "server" / "nextcloud_mcp"
OUTSIDE_CORE: Final = {"apps", "doctor"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> None:
    """Print a line for each figure, and what is beyond it."""
    modules = {path.relative_to(SERVER): path.read_text(encoding="utf-8") for path in sorted(SERVER.rglob("*.py"))}
    lines = {path: len(text.splitlines()) for path, text in modules.items()}
    core = sum(count for path, count in lines.items() if path.parts[0] not in OUTSIDE_CORE)
    long_modules = [f"{path} {count}" for path, count in lines.items() if count > 350]
    long_functions = [f"{path} {name} {count}" for path, text in modules.items() for name, count in _long(text, 45)]
    print(f"lines of the server          {sum(lines.values()):6}")
    print(f"lines of the core            {core:6}  wanted: at most 3500: all but apps/ and doctor/")
    print(f"median of a module           {statistics.median(lines.values()):6g}  wanted: at most 110")
    print(f"modules of more than 350     {len(long_modules):6}  wanted: none; {', '.join(long_modules)}")
    print(f"functions of more than 45    {len(long_functions):6}  wanted: none; {', '.join(long_functions)}")
    print(f"broad excepts                {sum(map(_broad_excepts, modules.values())):6}  wanted: one, at the boundary")
    print(f"docstrings without a summary {sum(text.count('noqa: D205') for text in modules.values()):6}  wanted: none")


def _functions(text: str) -> Iterator[Function]:
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, Function))


def _long(text: str, most: int) -> Iterator[tuple[str, int]]:
    for function in _functions(text):
        length = (function.end_lineno or 0) - function.lineno + 1
        if length > most:
            yield function.name, length


def _broad_excepts(text: str) -> int:
    handlers = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ExceptHandler)]
    return sum(each.type is None or ast.unparse(each.type) in {"Exception", "BaseException"} for each in handlers)


if __name__ == "__main__":
    main()
