"""The command-line tools of the chart's tests."""

import os
import shutil

import pytest

from stack.keycloak import default_cache


def tool(name: str) -> str:
    """Return where a tool of the chart's is; skip where it is not."""
    path = f"{default_cache() / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"there is no {name} here: `make chart-tools` builds it, which needs Go")
    return found
