"""`nextcloud.account_cache`: what is remembered of people, for whom and for how long."""

from nextcloud_mcp.nextcloud.account_cache import LIMIT, REMEMBERED, Account, AccountCache

NOTES = frozenset({"core", "notes"})


def account(number: int | str, username: str = "name") -> Account:
    """Return an account of the one issuer."""
    return ("https://issuer.test", f"subject-{number}", username)


def test_what_was_not_remembered_is_not_known() -> None:
    """Nobody is known from the start, and the same subject at another issuer is somebody else."""
    accounts = AccountCache()
    accounts.remember_user_id(account("alice"), "alice")
    accounts.remember_apps(account("alice"), NOTES)
    assert (accounts.user_id(account("alice")), accounts.apps(account("alice"))) == ("alice", NOTES)
    for stranger in (account("bob"), ("https://other-issuer.test", "subject-alice", "name")):
        assert (accounts.user_id(stranger), accounts.apps(stranger)) == (None, None)


def test_memory_is_bounded() -> None:
    """The one not seen for longest goes first; who was seen again stays."""
    accounts = AccountCache()
    for number in range(LIMIT):
        accounts.remember_user_id(account(number), f"user-{number}")
        accounts.remember_apps(account(number), NOTES)
    assert (accounts.user_id(account(0)), accounts.apps(account(0))) == ("user-0", NOTES)
    accounts.remember_user_id(account("new"), "user-new")
    accounts.remember_apps(account("new"), NOTES)
    assert [accounts.user_id(account(each)) for each in (0, "new", 1, 2)] == ["user-0", "user-new", None, "user-2"]
    assert [accounts.apps(account(each)) for each in (0, "new", 1, 2)] == [NOTES, NOTES, None, NOTES]


def test_nextcloud_is_asked_again_in_time() -> None:
    """An account that Nextcloud has disabled ends here too, and a new app appears."""
    now = 0.0
    accounts = AccountCache(lambda: now)
    accounts.remember_user_id(account("alice"), "alice")
    accounts.remember_apps(account("alice"), NOTES)
    now = REMEMBERED - 1
    assert (accounts.user_id(account("alice")), accounts.apps(account("alice"))) == ("alice", NOTES)
    now = REMEMBERED
    assert (accounts.user_id(account("alice")), accounts.apps(account("alice"))) == (None, None)


def test_another_user_name_is_another_account() -> None:
    """Nothing that was learnt under one user name counts under the next, nor under the first one again."""
    accounts = AccountCache()
    accounts.remember_user_id(account(1, "miller"), "miller")
    accounts.remember_apps(account(1, "miller"), NOTES)
    assert (accounts.user_id(account(1, "smith")), accounts.apps(account(1, "smith"))) == (None, None)
    accounts.remember_user_id(account(1, "smith"), "smith")
    assert accounts.user_id(account(1, "smith")) == "smith"
    assert accounts.user_id(account(1, "miller")) is None


def test_a_token_without_a_user_name_has_no_other_one() -> None:
    """What was learnt with a name counts for a token that has none, and not the other way round."""
    accounts = AccountCache()
    accounts.remember_apps(account(1, "alice"), NOTES)
    assert accounts.apps(account(1, "")) == NOTES
    accounts.remember_apps(account(2, ""), NOTES)
    assert accounts.apps(account(2, "bob")) is None


def test_another_user_id_ends_all_that_was_remembered() -> None:
    """When Nextcloud maps somebody to another account, the apps of the former one are not theirs."""
    accounts = AccountCache()
    accounts.remember_user_id(account(1), "miller")
    accounts.remember_apps(account(1), NOTES)
    accounts.remember_user_id(account(1), "miller")
    assert accounts.apps(account(1)) == NOTES
    accounts.remember_user_id(account(1), "smith")
    assert (accounts.user_id(account(1)), accounts.apps(account(1))) == ("smith", None)
