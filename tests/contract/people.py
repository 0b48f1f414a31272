"""Users of contract tests, signed in to Nextcloud."""

from urllib.parse import quote

import httpx


class Person:
    """Somebody's HTTP client: their token, `OCS-APIRequest: true`, and never a cookie.

    Attributes:
        http: The client; it knows the address of Nextcloud.
        user: The user id.
    """

    def __init__(self, http: httpx.AsyncClient, user: str) -> None:
        self.http = http
        self.user = user

    def path(self, *names: str) -> str:
        """The path of a file or folder of theirs, from its names."""
        return "/".join((f"/remote.php/dav/files/{quote(self.user)}", *(quote(name, safe="") for name in names)))

    def address(self, *names: str) -> str:
        """The same as a whole URL, as `Destination` wants it."""
        return str(self.http.base_url).rstrip("/") + self.path(*names)
