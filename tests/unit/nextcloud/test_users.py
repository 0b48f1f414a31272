"""`nextcloud.users`: ids by account, remembered within bounds."""

from nextcloud_mcp.nextcloud.users import LIMIT, Users


def account(number: int | str) -> tuple[str, str]:
    """Return an account of the one issuer."""
    return ("https://issuer.test", f"subject-{number}")


def test_what_was_not_remembered_is_not_known() -> None:
    """Nobody is known from the start, and the same subject at another issuer is somebody else."""
    users = Users()
    users.remember(account("alice"), "alice")
    assert users.get(account("alice")) == "alice"
    assert users.get(account("bob")) is None
    assert users.get(("https://other-issuer.test", "subject-alice")) is None


def test_the_one_not_seen_for_longest_goes_first() -> None:
    """Memory is bounded; who was seen again stays."""
    users = Users()
    for number in range(LIMIT):
        users.remember(account(number), f"user-{number}")
    assert users.get(account(0)) == "user-0"
    users.remember(account("new"), "user-new")
    assert users.get(account(0)) == "user-0"
    assert users.get(account("new")) == "user-new"
    assert users.get(account(1)) is None
    assert users.get(account(2)) == "user-2"


def test_remembering_again_takes_no_room() -> None:
    """An account that is remembered twice, as two first calls at once do, pushes nobody out."""
    users = Users()
    for number in range(LIMIT):
        users.remember(account(number), f"user-{number}")
    users.remember(account(LIMIT - 1), "user")
    assert users.get(account(0)) == "user-0"
