"""`nextcloud.users`: what is remembered of people, for whom and for how long."""

from nextcloud_mcp.nextcloud.users import LIMIT, REMEMBERED, Account, People

NOTES = frozenset({"core", "notes"})


def account(number: int | str, username: str = "name") -> Account:
    """Return an account of the one issuer."""
    return ("https://issuer.test", f"subject-{number}", username)


def test_what_was_not_remembered_is_not_known() -> None:
    """Nobody is known from the start, and the same subject at another issuer is somebody else."""
    people = People()
    people.remember_user_id(account("alice"), "alice")
    people.remember_apps(account("alice"), NOTES)
    assert (people.user_id(account("alice")), people.apps(account("alice"))) == ("alice", NOTES)
    for stranger in (account("bob"), ("https://other-issuer.test", "subject-alice", "name")):
        assert (people.user_id(stranger), people.apps(stranger)) == (None, None)


def test_memory_is_bounded() -> None:
    """The one not seen for longest goes first; who was seen again stays."""
    people = People()
    for number in range(LIMIT):
        people.remember_user_id(account(number), f"user-{number}")
        people.remember_apps(account(number), NOTES)
    assert (people.user_id(account(0)), people.apps(account(0))) == ("user-0", NOTES)
    people.remember_user_id(account("new"), "user-new")
    people.remember_apps(account("new"), NOTES)
    assert [people.user_id(account(each)) for each in (0, "new", 1, 2)] == ["user-0", "user-new", None, "user-2"]
    assert [people.apps(account(each)) for each in (0, "new", 1, 2)] == [NOTES, NOTES, None, NOTES]


def test_nextcloud_is_asked_again_in_time() -> None:
    """An account that Nextcloud has disabled ends here too, and a new app appears."""
    now = 0.0
    people = People(lambda: now)
    people.remember_user_id(account("alice"), "alice")
    people.remember_apps(account("alice"), NOTES)
    now = REMEMBERED - 1
    assert (people.user_id(account("alice")), people.apps(account("alice"))) == ("alice", NOTES)
    now = REMEMBERED
    assert (people.user_id(account("alice")), people.apps(account("alice"))) == (None, None)


def test_another_user_name_is_another_account() -> None:
    """Nothing that was learnt under one user name counts under the next, nor under the first one again."""
    people = People()
    people.remember_user_id(account(1, "miller"), "miller")
    people.remember_apps(account(1, "miller"), NOTES)
    assert (people.user_id(account(1, "smith")), people.apps(account(1, "smith"))) == (None, None)
    people.remember_user_id(account(1, "smith"), "smith")
    assert people.user_id(account(1, "smith")) == "smith"
    assert people.user_id(account(1, "miller")) is None


def test_a_token_without_a_user_name_has_no_other_one() -> None:
    """What was learnt with a name counts for a token that has none, and not the other way round."""
    people = People()
    people.remember_apps(account(1, "alice"), NOTES)
    assert people.apps(account(1, "")) == NOTES
    people.remember_apps(account(2, ""), NOTES)
    assert people.apps(account(2, "bob")) is None


def test_another_user_id_ends_all_that_was_remembered() -> None:
    """When Nextcloud maps somebody to another account, the apps of the former one are not theirs."""
    people = People()
    people.remember_user_id(account(1), "miller")
    people.remember_apps(account(1), NOTES)
    people.remember_user_id(account(1), "miller")
    assert people.apps(account(1)) == NOTES
    people.remember_user_id(account(1), "smith")
    assert (people.user_id(account(1)), people.apps(account(1))) == ("smith", None)
