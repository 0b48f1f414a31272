"""Runs Nextcloud's command `occ`, where the doctor has it."""

import asyncio
import json
import shlex
from contextlib import suppress
from typing import Any, Final

from nextcloud_mcp.doctor.deployment import Deployment
from nextcloud_mcp.doctor.finding import Fault
from nextcloud_mcp.doctor.nextcloud import LOOK

SECONDS: Final = 60.0


async def run_occ(deployment: Deployment, *arguments: str) -> str:
    """Run occ and return its output.

    Raises:
        Fault: occ cannot be run, fails, or takes longer than `SECONDS`.
    """
    command = [*deployment.options.occ, "--no-interaction", *arguments]
    shown = shlex.join(command)
    try:
        async with asyncio.timeout(SECONDS):
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                output, errors = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
    except TimeoutError as error:
        raise Fault(f"{shown} did not end within {SECONDS:.0f} s", LOOK) from error
    except OSError as error:
        raise Fault(f"{shown} can't be run ({type(error).__name__})", "correct --occ") from error
    text = output.decode(errors="replace").strip()
    if process.returncode != 0:
        last = (errors.decode(errors="replace").strip() or text).splitlines()[-1:]
        said = f": {last[0]}" if last else ""
        raise Fault(f"{shown} failed with status {process.returncode}{said}", "run it by hand, and correct --occ")
    return text


def parsed(text: str) -> Any:
    """Return the value of a JSON text, or None if the text is not JSON."""
    with suppress(ValueError):
        return json.loads(text)
    return None
