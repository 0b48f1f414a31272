"""The versions of Keycloak and Nextcloud, from `versions.toml`."""

import tomllib
from pathlib import Path
from typing import Final

_VERSIONS: Final = tomllib.loads(Path(__file__).with_name("versions.toml").read_text())

KEYCLOAK_VERSION: Final[str] = _VERSIONS["keycloak"]["version"]
KEYCLOAK_SHA256: Final[str] = _VERSIONS["keycloak"]["sha256"]
KEYCLOAK_IMAGE: Final = f"keycloak/keycloak:{KEYCLOAK_VERSION}"
NEXTCLOUD_VERSION: Final[str] = _VERSIONS["nextcloud"]["version"]
NEXTCLOUD_IMAGE: Final = f"nextcloud:{NEXTCLOUD_VERSION}-apache"
