"""The known reasons for failures, from `known.toml`."""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("known.toml")


@dataclass(frozen=True)
class Reason:
    """Why a test fails.

    Attributes:
        test: a pattern for the test's name.
        nextcloud: the start of the versions of Nextcloud; empty for all.
        user_oidc: the start of the versions of user_oidc; empty for all.
    """

    test: str
    reason: str
    link: str
    nextcloud: str = ""
    user_oidc: str = ""

    def explains(self, test: str, nextcloud: str, user_oidc: str) -> bool:
        """Return whether it is about a test in this combination."""
        is_here = nextcloud.startswith(self.nextcloud) and user_oidc.startswith(self.user_oidc)
        return is_here and fnmatchcase(test, self.test.replace("[", "[[]"))


def known_reasons() -> list[Reason]:
    """Return the content of the file."""
    return [Reason(**each) for each in tomllib.loads(FILE.read_text(encoding="utf-8")).get("failure", [])]
