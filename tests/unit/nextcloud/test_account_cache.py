"""`nextcloud.account_cache`: what is cached for each account, and for how long."""

from nextcloud_mcp.nextcloud.account_cache import LIMIT, REMEMBERED, Account, AccountCache

NOTES = frozenset({"core", "notes"})


def account(number: int | str, username: str = "name") -> Account:
    """Return an account of the one issuer."""
    return ("https://issuer.test", f"subject-{number}", username)


def test_unknown_account_has_no_entry() -> None:
    """The cache starts empty, and the same subject of another issuer is another account."""
    accounts = AccountCache()
    accounts.remember_user_id(account("alice"), "alice")
    accounts.remember_apps(account("alice"), NOTES)
    assert (accounts.user_id(account("alice")), accounts.apps(account("alice"))) == ("alice", NOTES)
    for stranger in (account("bob"), ("https://other-issuer.test", "subject-alice", "name")):
        assert (accounts.user_id(stranger), accounts.apps(stranger)) == (None, None)


def test_cache_evicts_least_recently_used() -> None:
    """The least recently used account is evicted first."""
    accounts = AccountCache()
    for number in range(LIMIT):
        accounts.remember_user_id(account(number), f"user-{number}")
        accounts.remember_apps(account(number), NOTES)
    assert (accounts.user_id(account(0)), accounts.apps(account(0))) == ("user-0", NOTES)
    accounts.remember_user_id(account("new"), "user-new")
    accounts.remember_apps(account("new"), NOTES)
    assert [accounts.user_id(account(each)) for each in (0, "new", 1, 2)] == ["user-0", "user-new", None, "user-2"]
    assert [accounts.apps(account(each)) for each in (0, "new", 1, 2)] == [NOTES, NOTES, None, NOTES]


def test_entries_expire() -> None:
    """After the lifetime, disabled accounts and new apps are noticed."""
    now = 0.0
    accounts = AccountCache(lambda: now)
    accounts.remember_user_id(account("alice"), "alice")
    accounts.remember_apps(account("alice"), NOTES)
    now = REMEMBERED - 1
    assert (accounts.user_id(account("alice")), accounts.apps(account("alice"))) == ("alice", NOTES)
    now = REMEMBERED
    assert (accounts.user_id(account("alice")), accounts.apps(account("alice"))) == (None, None)


def test_entry_is_bound_to_user_name() -> None:
    """An entry for one user name does not apply to another, nor to the first one after a change."""
    accounts = AccountCache()
    accounts.remember_user_id(account(1, "miller"), "miller")
    accounts.remember_apps(account(1, "miller"), NOTES)
    assert (accounts.user_id(account(1, "smith")), accounts.apps(account(1, "smith"))) == (None, None)
    accounts.remember_user_id(account(1, "smith"), "smith")
    assert accounts.user_id(account(1, "smith")) == "smith"
    assert accounts.user_id(account(1, "miller")) is None


def test_token_without_user_name_uses_any_entry() -> None:
    """An entry made with a user name applies to a token without one, but not vice versa."""
    accounts = AccountCache()
    accounts.remember_apps(account(1, "alice"), NOTES)
    assert accounts.apps(account(1, "")) == NOTES
    accounts.remember_apps(account(2, ""), NOTES)
    assert accounts.apps(account(2, "bob")) is None


def test_new_user_id_clears_entry() -> None:
    """When Nextcloud maps a user to another account, the former account's apps are dropped."""
    accounts = AccountCache()
    accounts.remember_user_id(account(1), "miller")
    accounts.remember_apps(account(1), NOTES)
    accounts.remember_user_id(account(1), "miller")
    assert accounts.apps(account(1)) == NOTES
    accounts.remember_user_id(account(1), "smith")
    assert (accounts.user_id(account(1)), accounts.apps(account(1))) == ("smith", None)
