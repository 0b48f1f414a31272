"""`nextcloud.users`: ids by account, remembered within bounds."""

from nextcloud_mcp.nextcloud.users import LIMIT, REMEMBERED, Account, known_users


def account(number: int | str) -> Account:
    """Return an account of the one issuer."""
    return ("https://issuer.test", f"subject-{number}", "name")


def test_what_was_not_remembered_is_not_known() -> None:
    """Nobody is known from the start, and the same subject at another issuer is somebody else."""
    users = known_users()
    users[account("alice")] = "alice"
    assert users.get(account("alice")) == "alice"
    assert users.get(account("bob")) is None
    assert users.get(("https://other-issuer.test", "subject-alice", "name")) is None


def test_the_one_not_seen_for_longest_goes_first() -> None:
    """Memory is bounded; who was seen again stays."""
    users = known_users()
    for number in range(LIMIT):
        users[account(number)] = f"user-{number}"
    assert users.get(account(0)) == "user-0"
    users[account("new")] = "user-new"
    assert users.get(account(0)) == "user-0"
    assert users.get(account("new")) == "user-new"
    assert users.get(account(1)) is None
    assert users.get(account(2)) == "user-2"


def test_an_id_is_asked_again_in_time() -> None:
    """Nextcloud is asked again after minutes, so that an account which it has disabled ends here too."""
    now = 0.0
    users = known_users(lambda: now)
    users[account("alice")] = "alice"
    now = REMEMBERED - 1
    assert users.get(account("alice")) == "alice"
    now = REMEMBERED
    assert users.get(account("alice")) is None
