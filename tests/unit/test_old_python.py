"""Python older than 3.11: one line says so, wherever a person starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("package", ["nextcloud_mcp.cli", "stack.__main__"])
def test_package_names_the_version_that_it_needs(package: str) -> None:
    """A checkout that an older Python runs does not end in a traceback."""
    program = f"import sys; sys.version_info = (3, 10, 13, 'final', 0); import {package}"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Python 3.11 or newer is needed, and this is 3.10.\n"


@pytest.mark.parametrize("answer", ["exit 1", "exit 127"], ids=["older", "not there"])
def test_make_names_the_version_that_it_needs(tmp_path: Path, answer: str) -> None:
    """`make` stops before it installs anything, and says how to name another Python."""
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
    python.chmod(0o755)
    venv = tmp_path / "venv"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(  # noqa: S603 - our own
        ["make", f"VENV={venv}", f"PYTHON={python}", f"{venv}/.installed"],  # noqa: S607 - whichever make there is
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[0].startswith(f"Python 3.11 or newer is needed, and {python} is not: install it")
    assert not venv.exists()
