"""A folder that bob shares with alice."""

from tests.contract.people import Person
from tests.contract.test_sharing import ask, data


class SharedFolder:
    """A folder of bob's that alice has too.

    Attributes:
        name: Its name for both.
        share: The id of the share.
    """

    def __init__(self, alice: Person, bob: Person, name: str, share: str) -> None:
        self.alice = alice
        self.bob = bob
        self.name = name
        self.share = share

    async def allow(self, permissions: int) -> None:
        """Change the permissions of the share."""
        data(await ask(self.bob, "PUT", f"/{self.share}", json={"permissions": permissions}))
