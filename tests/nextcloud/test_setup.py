"""nextcloud/setup.sh: its settings, an idempotent second run, and clear failures.

Most tests run it with a fake occ (fake_occ.py). The last one runs it on the Nextcloud whose occ the variable
NEXTCLOUD_OCC names, if it is set; that test creates a provider there and removes it.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOM = Path(__file__).parents[2] / "nextcloud"
SETUP = ROOM / "setup.sh"
HOOKS = sorted((ROOM / "hooks").glob("*/*.sh"))
FAKE_OCC = Path(__file__).with_name("fake_occ.py")

SECRET = "s3cret-of-the-client"
DISCOVERY_PATH = "/realms/nextcloud-mcp/.well-known/openid-configuration"
LOCAL = f"http://localhost:8180{DISCOVERY_PATH}"
PUBLIC = f"https://keycloak.example.org{DISCOVERY_PATH}"
REQUIRED = {
    "OIDC_DISCOVERY_URL": LOCAL,
    "NEXTCLOUD_OIDC_CLIENT_SECRET": SECRET,
    "NEXTCLOUD_LINK_LOCAL_ACCOUNTS": "false",
}
Result = subprocess.CompletedProcess[str]


def run(script: Path, environment: dict[str, str], cwd: Path | None = None) -> Result:
    """Run a script as the image would, with nothing in its environment but `environment` and a PATH."""
    return subprocess.run(  # noqa: S603 - the project's own script
        ["/bin/sh", script],
        env={"PATH": os.environ["PATH"]} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


@dataclass(frozen=True)
class Nextcloud:
    """A stock Nextcloud, as far as occ shows it; what it holds is a JSON file."""

    file: Path

    @property
    def occ(self) -> str:
        """What goes into OCC."""
        return f"{sys.executable} -IS {FAKE_OCC} {self.file}"

    @property
    def state(self) -> dict[str, Any]:
        """What it holds, calls so far included."""
        state: dict[str, Any] = json.loads(self.file.read_text())
        return state

    @property
    def lasting(self) -> dict[str, Any]:
        """What it holds but the record of calls."""
        return {name: value for name, value in self.state.items() if name not in {"calls", "exit"}}

    @property
    def provider(self) -> dict[str, Any]:
        """The provider of the default name."""
        found: dict[str, Any] = self.state["providers"]["keycloak"]
        return found

    def change(self, **values: Any) -> None:
        """Put values over what it holds."""
        self.file.write_text(json.dumps(self.state | values))

    def set_up(self, **settings: str) -> Result:
        """Run setup.sh with the required settings and these."""
        return run(SETUP, {"OCC": self.occ} | REQUIRED | settings)


@pytest.fixture
def nextcloud(tmp_path: Path) -> Nextcloud:
    """A Nextcloud just installed."""
    file = tmp_path / "nextcloud.json"
    file.write_text(
        json.dumps(
            {
                "status": {"installed": True, "maintenance": False, "needsDbUpgrade": False},
                "version": "8.10.1",  # of the user_oidc that app:enable brings
                "config": {},
                "providers": {},
                "secrets": {},
                "jwks": {},  # signing keys remembered, by provider
                "accounts": [("admin", "Database", ["admin"])],
                "apps": [],  # in Nextcloud's folders of apps
                "store": ["user_oidc", "notes", "deck"],
                "stuck": {},  # values that no command changes, as another config file's do not
                "fail": None,
                "calls": [],
            }
        )
    )
    return Nextcloud(file)


def last_line(result: Result) -> str:
    """What the run sums up to."""
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]


def refusal(result: Result) -> str:
    """Why the run ended early, if it says so loudly: status not zero, one line on standard error, no summary."""
    assert result.returncode != 0
    assert "nothing changed" not in result.stdout
    (line,) = result.stderr.splitlines()
    return line


def test_first_run_configures_trust_in_the_realm(nextcloud: Nextcloud) -> None:
    """A stock Nextcloud gets user_oidc, the provider with bearer check and user names as ids, and the secret."""
    assert last_line(nextcloud.set_up()) == (
        "setup.sh: changed: app user_oidc, requests to local addresses, local accounts, provider keycloak"
    )
    assert nextcloud.provider == {
        "id": 1,
        "identifier": "keycloak",
        "clientId": "nextcloud",
        "discoveryEndpoint": LOCAL,
        "scope": "openid email profile",
        "settings": {
            "checkBearer": True,
            "bearerProvisioning": True,
            "uniqueUid": False,
            "providerBasedId": False,
            "mappingUid": "preferred_username",
            "mappingDisplayName": "name",
            "mappingEmail": "email",
            "mappingGroups": "groups",
            "groupProvisioning": False,
            "groupWhitelistRegex": "",
        },
    }
    assert nextcloud.state["secrets"] == {"keycloak": SECRET}


def test_second_run_changes_nothing_and_reports_it(nextcloud: Nextcloud) -> None:
    """A second run leaves everything as it is, and reports this."""
    nextcloud.set_up(NEXTCLOUD_PUBLIC_URL="http://localhost:8080")
    before = nextcloud.lasting
    result = nextcloud.set_up(NEXTCLOUD_PUBLIC_URL="http://localhost:8080")
    assert last_line(result) == "setup.sh: nothing changed"
    assert ": changed" not in result.stdout
    assert nextcloud.lasting == before


def test_every_run_clears_the_cached_signing_keys(nextcloud: Nextcloud) -> None:
    """Even a run without changes makes user_oidc fetch the realm's keys again, and reports it."""
    nextcloud.set_up()
    nextcloud.change(jwks={"keycloak": "yesterday's keys"})
    assert "remembered signing keys are dropped" in nextcloud.set_up().stdout
    assert nextcloud.state["jwks"] == {"keycloak": ""}


def test_changed_provider_is_restored_and_reported(nextcloud: Nextcloud) -> None:
    """Manual changes of the provider are reverted and reported."""
    nextcloud.set_up()
    drifted = nextcloud.provider
    drifted["settings"]["checkBearer"] = False
    nextcloud.change(providers={"keycloak": drifted})
    assert last_line(nextcloud.set_up()) == "setup.sh: changed: provider keycloak"
    assert nextcloud.provider["settings"]["checkBearer"] is True


@pytest.mark.parametrize("other_way", [{"uniqueUid": True}, {"mappingUid": "sub"}])
def test_provider_with_another_user_id_mapping_is_refused(nextcloud: Nextcloud, other_way: dict[str, object]) -> None:
    """A provider with other user ids is refused and not changed, so that nobody loses an account."""
    nextcloud.set_up()
    other = nextcloud.provider
    other["settings"] |= other_way
    nextcloud.change(providers={"keycloak": other})
    assert "OIDC_PROVIDER_NAME" in refusal(nextcloud.set_up())
    assert nextcloud.provider == other


def test_realm_decides_only_the_named_groups(nextcloud: Nextcloud) -> None:
    """Group provisioning covers exactly the groups of the list, and ends without one."""
    nextcloud.set_up(NEXTCLOUD_GROUPS="sales, Board of st.art,x")
    settings = nextcloud.provider["settings"]
    assert (settings["groupProvisioning"], settings["mappingGroups"]) == (True, "groups")
    assert settings["groupWhitelistRegex"] == r"/^(sales|Board of st\.art|x)$/D"
    assert last_line(nextcloud.set_up(NEXTCLOUD_GROUPS="sales, Board of st.art,x")) == "setup.sh: nothing changed"
    assert last_line(nextcloud.set_up()) == "setup.sh: changed: provider keycloak"
    assert nextcloud.provider["settings"]["groupProvisioning"] is False
    assert nextcloud.provider["settings"]["groupWhitelistRegex"] == ""


@pytest.mark.parametrize(
    "groups", ["admin", "sales,admin", "sales , ADMIN ,x", ".*", "sales|admin", "a,,b", "(a)", "a/b", "[a]"]
)
def test_groups_that_would_grant_too_much_are_refused(nextcloud: Nextcloud, groups: str) -> None:
    """Neither the group of Nextcloud's administrators nor a pattern can be named."""
    assert "NEXTCLOUD_GROUPS" in refusal(nextcloud.set_up(NEXTCLOUD_GROUPS=groups))
    assert nextcloud.state["providers"] == {}


def test_provider_and_client_names_are_settings(nextcloud: Nextcloud) -> None:
    """Settings can change the names of the provider and the client."""
    nextcloud.set_up(OIDC_PROVIDER_NAME="Our login", NEXTCLOUD_OIDC_CLIENT_ID="https://cloud.example.org")
    (provider,) = nextcloud.state["providers"].values()
    assert (provider["identifier"], provider["clientId"]) == ("Our login", "https://cloud.example.org")


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8180",
        "keycloak:8080",
        "id.internal",
        "127.0.0.1",
        "10.1.2.3",
        "172.20.0.5",
        "192.168.1.1",
        "100.64.0.1",
        "[::1]:8180",
        "[fd00::1]",
    ],
)
def test_requests_to_a_local_issuer_are_allowed(nextcloud: Nextcloud, host: str) -> None:
    """If the issuer is on this machine or network, Nextcloud is configured to connect to local addresses."""
    nextcloud.change(fail="user_oidc:provider")  # what comes after does not matter here
    nextcloud.set_up(OIDC_DISCOVERY_URL=f"http://{host}{DISCOVERY_PATH}")
    assert nextcloud.state["config"]["allow_local_remote_servers"] == "true"


@pytest.mark.parametrize(
    "host",
    ["keycloak.example.org", "localhost.example.org:8443", "10.example.org", "172.32.0.1", "8.8.8.8", "[2001:db8::1]"],
)
def test_requests_to_local_addresses_stay_blocked_otherwise(nextcloud: Nextcloud, host: str) -> None:
    """For a public issuer, Nextcloud's protection against requests to local addresses stays on."""
    nextcloud.change(fail="user_oidc:provider")  # what comes after does not matter here
    assert "not needed" in nextcloud.set_up(OIDC_DISCOVERY_URL=f"https://{host}{DISCOVERY_PATH}").stdout
    assert "allow_local_remote_servers" not in nextcloud.state["config"]


def test_local_issuer_can_be_allowed_explicitly(nextcloud: Nextcloud) -> None:
    """For a public name with a private address, the operator can allow local requests."""
    nextcloud.set_up(OIDC_DISCOVERY_URL=PUBLIC, NEXTCLOUD_ALLOW_LOCAL_ISSUER="true")
    assert nextcloud.state["config"]["allow_local_remote_servers"] == "true"


def test_keys_over_plain_http_cause_a_warning(nextcloud: Nextcloud) -> None:
    """The run continues with a remote issuer over plain HTTP, but warns about it."""
    result = nextcloud.set_up(OIDC_DISCOVERY_URL=PUBLIC.replace("https", "http"))
    last_line(result)
    assert "unencrypted" in result.stderr


def test_web_login_over_http_depends_on_the_public_url(nextcloud: Nextcloud) -> None:
    """It is allowed for an http:// site, refused again after a move to https://, and otherwise not changed."""
    name = "user_oidc allow_insecure_http"
    nextcloud.set_up()
    assert name not in nextcloud.state["config"]
    nextcloud.set_up(NEXTCLOUD_PUBLIC_URL="http://localhost:8080")
    assert nextcloud.state["config"][name] == "1"
    nextcloud.set_up(NEXTCLOUD_PUBLIC_URL="https://cloud.example.org")
    assert nextcloud.state["config"][name] == "0"


@pytest.mark.parametrize(
    "line",
    [
        {"selfencoded_bearer_validation_audience_check": False},
        {"selfencoded_bearer_validation_audience_check": "0"},
        {"userinfo_bearer_validation": True},
        {"userinfo_bearer_validation": "false"},  # a string, and so true
        {"login_validation_azp_check": True, "userinfo_bearer_validation": 1},
    ],
)
def test_disabled_audience_check_is_refused(nextcloud: Nextcloud, line: dict[str, object]) -> None:
    """No provider is created if Nextcloud would accept tokens for any client of the realm."""
    nextcloud.change(config={"user_oidc": line})
    assert "any client" in refusal(nextcloud.set_up())
    assert not nextcloud.state["providers"]


@pytest.mark.parametrize(
    "line",
    [
        {"selfencoded_bearer_validation_audience_check": True},
        {"userinfo_bearer_validation": False},
        {"login_validation_audience_check": False},
    ],
)
def test_other_user_oidc_settings_are_accepted(nextcloud: Nextcloud, line: dict[str, object]) -> None:
    """Only a disabled audience check on bearer tokens is refused."""
    nextcloud.change(config={"user_oidc": line})
    assert "provider keycloak" in last_line(nextcloud.set_up())


def test_local_accounts_need_an_explicit_choice(nextcloud: Nextcloud) -> None:
    """Without a choice, the run ends before Nextcloud trusts the realm, and lists the affected accounts."""
    nextcloud.change(accounts=[("anna", "LDAP", ["staff"]), ("zoe", "Database", ["staff", "admin"])])
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="")
    assert "NEXTCLOUD_LINK_LOCAL_ACCOUNTS is not set" in refusal(result)
    assert result.stdout.splitlines()[-2:] == ["  zoe (administrator, Database)", "  anna (LDAP)"]
    assert not nextcloud.state["providers"]
    assert "user_oidc" not in nextcloud.state["config"]


def test_account_list_is_short_with_administrators_first(nextcloud: Nextcloud) -> None:
    """Administrators are listed first, wherever occ lists them, and further accounts are only counted."""
    people = [(f"person{number:03}", "Database", ["staff"]) for number in range(700)]
    nextcloud.change(accounts=[*people, ("zoe", "Database", ["admin"])])
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="")
    shown = [line for line in result.stdout.splitlines() if line.startswith("  ")]
    assert (len(shown), shown[0], shown[-1]) == (21, "  zoe (administrator, Database)", "  and 681 more")


def test_number_of_accounts_read_is_bounded(nextcloud: Nextcloud) -> None:
    """A directory with a hundred thousand users does not delay the run, which reports how far it looked."""
    nextcloud.change(accounts=[(f"person{number}", "LDAP", []) for number in range(5000)])
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="")
    assert "The first 2000 accounts were looked at." in result.stdout
    assert sum(call["argv"][0] == "user:list" for call in nextcloud.state["calls"]) == 4


@pytest.mark.parametrize("accounts", [[], [("alice", "user_oidc", [])]])
def test_no_choice_is_needed_without_local_accounts(nextcloud: Nextcloud, accounts: list[object]) -> None:
    """Without local accounts, accounts that are created later are closed to the realm."""
    nextcloud.change(accounts=accounts)
    assert "local accounts" in last_line(nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS=""))
    assert nextcloud.state["config"]["user_oidc"] == {"soft_auto_provision": False}


ADMIN = ("admin", "Database", ["admin"])


def test_new_nextclouds_administrator_is_closed_to_the_realm(nextcloud: Nextcloud) -> None:
    """The account from the official image's installation is closed to the realm without an explicit choice."""
    nextcloud.change(accounts=[ADMIN])
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="", NEXTCLOUD_ADMIN_USER="admin")
    assert "local accounts" in last_line(result)
    assert nextcloud.state["config"]["user_oidc"] == {"soft_auto_provision": False}


@pytest.mark.parametrize(
    ("accounts", "installed_with"),
    [
        ([ADMIN], ""),
        ([ADMIN], "other"),
        ([ADMIN, ("anna", "Database", [])], "admin"),
        ([("admin", "LDAP", ["admin"])], "admin"),
    ],
)
def test_any_other_local_account_needs_a_choice(
    nextcloud: Nextcloud, accounts: list[object], installed_with: str
) -> None:
    """The owner of another local account may want to reach it through the realm, so the run asks for a choice."""
    nextcloud.change(accounts=accounts)
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="", NEXTCLOUD_ADMIN_USER=installed_with)
    assert "NEXTCLOUD_LINK_LOCAL_ACCOUNTS is not set" in refusal(result)


def test_already_trusted_realm_needs_a_choice(nextcloud: Nextcloud) -> None:
    """If a realm user could use the administrator's account so far, the run does not close it without a choice."""
    nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="true")
    nextcloud.change(accounts=[ADMIN])
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="", NEXTCLOUD_ADMIN_USER="admin")
    assert "NEXTCLOUD_LINK_LOCAL_ACCOUNTS is not set" in refusal(result)


def test_configured_refusal_counts_as_a_choice(nextcloud: Nextcloud) -> None:
    """An existing configuration that closes local accounts to the realm needs no further choice."""
    nextcloud.change(config={"user_oidc": {"soft_auto_provision": False}})
    assert "provider keycloak" in last_line(nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS=""))


@pytest.mark.parametrize("value", [True, "false", "true", 1])
def test_other_configured_values_are_no_choice(nextcloud: Nextcloud, value: object) -> None:
    """In PHP the string "false" is true, and opening the accounts needs an explicit setting in every run."""
    nextcloud.change(config={"user_oidc": {"soft_auto_provision": value}})
    assert "NEXTCLOUD_LINK_LOCAL_ACCOUNTS is not set" in refusal(nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS=""))


@pytest.mark.parametrize("before", [{}, {"soft_auto_provision": "false"}, {"soft_auto_provision": True, "x": 1}])
def test_local_accounts_are_closed_to_the_realm(nextcloud: Nextcloud, before: dict[str, object]) -> None:
    """The setting becomes a boolean before the provider accepts tokens, and other settings stay."""
    nextcloud.change(config={"user_oidc": before})
    assert "local accounts" in last_line(nextcloud.set_up())
    assert nextcloud.state["config"]["user_oidc"] == before | {"soft_auto_provision": False}
    commands = [call["argv"] for call in nextcloud.state["calls"]]
    refused = next(index for index, argv in enumerate(commands) if "soft_auto_provision" in argv)
    assert refused < next(index for index, argv in enumerate(commands) if "--check-bearer=1" in argv)


def test_local_accounts_are_linked_on_request(nextcloud: Nextcloud) -> None:
    """The run lists the linked accounts, and warns that a user name gives administrator access."""
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="true")
    assert "local accounts" in last_line(result)
    assert "  admin (administrator, Database)" in result.stdout
    assert "with the name of an administrator" in result.stderr
    assert nextcloud.state["config"]["user_oidc"] == {"soft_auto_provision": True}


def test_closing_accounts_mentions_remaining_sessions(nextcloud: Nextcloud) -> None:
    """When accounts are no longer linked, the run reports that sessions and app passwords remain valid."""
    nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="true")
    assert "occ user:auth-tokens:list" in nextcloud.set_up().stderr
    assert "occ user:auth-tokens:list" not in nextcloud.set_up().stderr


@pytest.mark.parametrize("value", [False, 0, "", "0", []])
def test_disabled_auto_provision_is_refused(nextcloud: Nextcloud, value: object) -> None:
    """With auto_provision off, user_oidc always maps to local accounts, so the run refuses it."""
    nextcloud.change(config={"user_oidc": {"auto_provision": value}})
    assert "auto_provision off" in refusal(nextcloud.set_up())
    assert "local accounts" in last_line(nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="true"))


def other_provider(nextcloud: Nextcloud, **changes: object) -> None:
    """Have a provider that names accounts as ours does, with these changes."""
    nextcloud.set_up(OIDC_PROVIDER_NAME='Corporate "A"/B', OIDC_DISCOVERY_URL=PUBLIC)
    (other,) = nextcloud.state["providers"].values()
    top = {name: value for name, value in changes.items() if name in other}
    settings = {name: value for name, value in changes.items() if name not in other}
    nextcloud.change(providers={other["identifier"]: {**other, **top, "settings": other["settings"] | settings}})


def test_realm_that_shares_account_names_with_a_provider_is_refused(nextcloud: Nextcloud) -> None:
    """The realm is not trusted if its users would get the accounts of another provider's users."""
    other_provider(nextcloud)
    assert 'NEXTCLOUD_SHARED_PROVIDERS="Corporate "A"/B"' in refusal(nextcloud.set_up())
    assert list(nextcloud.state["providers"]) == ['Corporate "A"/B']


@pytest.mark.parametrize("changes", [{"uniqueUid": True}, {"providerBasedId": True}, {"discoveryEndpoint": LOCAL}])
def test_harmless_other_provider_is_accepted(nextcloud: Nextcloud, changes: dict[str, object]) -> None:
    """A provider with hashed ids, with its own prefix, or for the same realm does not matter."""
    other_provider(nextcloud, **changes)
    assert last_line(nextcloud.set_up()).endswith("provider keycloak")


def test_other_provider_with_the_same_users_can_be_allowed(nextcloud: Nextcloud) -> None:
    """The operator can state that two providers have the same users."""
    other_provider(nextcloud)
    shared = 'old one,Corporate "A"/B'
    assert last_line(nextcloud.set_up(NEXTCLOUD_SHARED_PROVIDERS=shared)).endswith("provider keycloak")


def test_accounts_of_a_removed_provider_are_listed(nextcloud: Nextcloud) -> None:
    """Realm users get the accounts of a removed provider, so the first run lists them."""
    nextcloud.change(accounts=[("admin", "Database", ["admin"]), ("iris", "user_oidc", [])])
    result = nextcloud.set_up()
    assert "  iris (user_oidc)" in result.stdout
    assert "  admin" not in result.stdout
    assert "occ user:delete NAME" in result.stderr
    assert "iris" not in nextcloud.set_up().stdout


def test_apps_are_installed_once(nextcloud: Nextcloud) -> None:
    """The listed apps come from the app store, and a second run does not contact it for them."""
    result = nextcloud.set_up(NEXTCLOUD_APPS="notes deck")
    assert last_line(result).endswith("provider keycloak, app notes, app deck")
    before = len(nextcloud.state["calls"])
    assert last_line(nextcloud.set_up(NEXTCLOUD_APPS="notes deck")) == "setup.sh: nothing changed"
    assert "app:update" not in {call["argv"][0] for call in nextcloud.state["calls"][before:]}


def test_failed_app_installation_does_not_stop_the_run(nextcloud: Nextcloud) -> None:
    """The other apps are installed, and the line about the failed app has occ's message."""
    result = nextcloud.set_up(NEXTCLOUD_APPS="chess notes")
    assert last_line(result).endswith("provider keycloak, app notes")
    assert 'app chess: not installed: occ app:enable said "Could not download app chess' in result.stdout


def test_disabled_app_stays_disabled(nextcloud: Nextcloud) -> None:
    """The next start does not restore an app that an administrator disabled or removed."""
    nextcloud.change(apps=["notes"], config={"notes enabled": "no", "deck enabled": "no"})
    result = nextcloud.set_up(NEXTCLOUD_APPS="notes deck")
    assert "app notes: unchanged (an administrator disabled or removed it)" in result.stdout
    assert "app deck: unchanged (an administrator disabled or removed it)" in result.stdout
    assert nextcloud.state["config"]["notes enabled"] == "no"


def ends_at_once(tmp_path: Path, seconds: int) -> dict[str, str]:
    """A machine on which one time limit is over at once; what had it is written down."""
    shim = tmp_path / "bin" / "timeout"
    shim.parent.mkdir()
    shim.write_text(
        f"""#!/bin/sh
        [ "$1" != --foreground ] || shift
        if [ "$1" = {seconds} ]; then echo "$@" >> {tmp_path}/limits; exit 124; fi
        shift
        exec "$@"
        """
    )
    shim.chmod(0o755)
    return {"PATH": f"{shim.parent}:{os.environ['PATH']}"}


def test_unreachable_app_store_costs_one_time_out(nextcloud: Nextcloud, tmp_path: Path) -> None:
    """A start without internet access waits half a minute, not minutes for each app."""
    result = nextcloud.set_up(NEXTCLOUD_APPS="notes deck", **ends_at_once(tmp_path, 30))
    assert last_line(result).endswith("provider keycloak")
    assert result.stdout.count("not installed: the app store did not answer within 30 s") == 2
    (limit,) = (tmp_path / "limits").read_text().splitlines()
    assert limit.startswith("30 ")


@pytest.mark.parametrize(
    "logged",
    [
        "Redis server redis:6379 went away",
        "DENIED Redis is running in protected mode because protected mode is enabled",
        "AUTH failed while reconnecting",
        "NOAUTH Authentication required.",
    ],
)
def test_redis_that_refuses_connections_ends_the_run(nextcloud: Nextcloud, logged: str) -> None:
    """Without Redis no request works, although occ does: the run ends with the message in Nextcloud's log."""
    nextcloud.change(log=f"[error] [no app in context] {logged}\n")
    line = refusal(nextcloud.set_up())
    assert f'does not reach its Redis: "[error] [no app in context] {logged}"' in line
    assert "Next: see that Redis runs and takes Nextcloud's password" in line


def test_app_without_libraries_ends_the_run(nextcloud: Nextcloud) -> None:
    """Nextcloud continues without an app that it cannot start; the run ends with the message in Nextcloud's log."""
    logged = '[fatal] [user_oidc] Error during app service registration: Interface "HttpClient" not found'
    nextcloud.change(log=f"{logged}\n")
    line = refusal(nextcloud.set_up())
    assert f'cannot start user_oidc: "{logged}"' in line
    assert "Next: replace the app's folder" in line


def test_unrelated_log_errors_do_not_end_the_run(nextcloud: Nextcloud) -> None:
    """An error that an app logs does not prevent Nextcloud's start."""
    nextcloud.change(log="[error] [mail] no connection to the mail server\n")
    assert last_line(nextcloud.set_up()).startswith("setup.sh: changed: app user_oidc")


def test_hanging_occ_is_terminated(nextcloud: Nextcloud, tmp_path: Path) -> None:
    """An occ that hangs, as it does if Redis does not respond, ends the run with a message."""
    line = refusal(nextcloud.set_up(**ends_at_once(tmp_path, 120)))
    assert "did not end within 120 s. Next: see that Nextcloud's Redis and database answer" in line


@pytest.mark.parametrize("on_stderr", ["", "yes"])
@pytest.mark.parametrize("exit_status", [0, 1])
@pytest.mark.parametrize("command", ["status", "config:system:get", "save"])
@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        pytest.param(
            "Could not boot user_status: NOAUTH Authentication required.",
            'said "Could not boot user_status: NOAUTH Authentication required."',
            id="app",
        ),
        pytest.param(
            "An unhandled exception has been thrown:\nRedisException: Connection refused in Redis.php:5",
            "RedisException: Connection refused in Redis.php:5",
            id="exception",
        ),
    ],
)
def test_message_of_a_nextcloud_that_does_not_start(
    nextcloud: Nextcloud, said: str, quoted: str, command: str, exit_status: int, on_stderr: str
) -> None:
    """The run ends with occ's message about the failed start, whatever its exit status is."""
    nextcloud.change(broken={"command": command, "says": said, "exit": exit_status, "on_stderr": on_stderr})
    result = nextcloud.set_up()
    assert result.returncode != 0
    line = result.stderr.splitlines()[-1]
    assert line.startswith("setup.sh: Nextcloud does not start: ")
    assert quoted in line
    assert "Next: see that its Redis and database run" in line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Unpacked apps, in a folder beside Nextcloud's."""
    for app in ("user_oidc", "notes"):
        info = tmp_path / "apps" / app / "appinfo" / "info.xml"
        info.parent.mkdir(parents=True)
        info.write_text(f"<info><id>{app}</id></info>")
    (tmp_path / "nextcloud" / "custom_apps").mkdir(parents=True)
    return tmp_path / "apps"


def test_apps_are_installed_from_a_folder(nextcloud: Nextcloud, folder: Path) -> None:
    """Without an app store, user_oidc and the apps come from the mounted folder, and missing ones are reported."""
    nextcloud.change(store=[])
    settings = {"NEXTCLOUD_APPS_FOLDER": str(folder), "NEXTCLOUD_APPS": "notes deck"}
    installed = folder.parent / "nextcloud"
    result = run(SETUP, {"OCC": nextcloud.occ} | REQUIRED | settings, cwd=installed)
    assert "app notes" in last_line(result)
    assert f"app deck: not installed: {folder} has no deck/appinfo/info.xml" in result.stdout
    assert sorted(app.name for app in (installed / "custom_apps").iterdir()) == ["notes", "user_oidc"]
    assert (installed / "custom_apps/notes/appinfo/info.xml").read_text() == "<info><id>notes</id></info>"
    assert "app:update" not in {call["argv"][0] for call in nextcloud.state["calls"]}


def test_folder_without_user_oidc_ends_the_run(nextcloud: Nextcloud, folder: Path) -> None:
    """Only this app is required, and the run does not wait for the app store."""
    shutil.rmtree(folder / "user_oidc")
    settings = {"NEXTCLOUD_APPS_FOLDER": str(folder)}
    result = run(SETUP, {"OCC": nextcloud.occ} | REQUIRED | settings, cwd=folder.parent / "nextcloud")
    assert "unpack the app's release there" in refusal(result)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"OIDC_DISCOVERY_URL": ""}, "OIDC_DISCOVERY_URL"),
        ({"OIDC_DISCOVERY_URL": "keycloak"}, "OIDC_DISCOVERY_URL"),
        ({"NEXTCLOUD_OIDC_CLIENT_SECRET": ""}, "NEXTCLOUD_OIDC_CLIENT_SECRET"),
        ({"NEXTCLOUD_OIDC_CLIENT_SECRET_FILE": "/run/secrets/x"}, "both set"),
        ({"NEXTCLOUD_OIDC_CLIENT_SECRET": "", "NEXTCLOUD_OIDC_CLIENT_SECRET_FILE": "/nowhere"}, "cannot be read"),
        ({"NEXTCLOUD_OIDC_CLIENT_SECRET": "", "NEXTCLOUD_OIDC_CLIENT_SECRET_FILE": "/dev/null"}, "_SECRET_FILE"),
        ({"NEXTCLOUD_PUBLIC_URL": "localhost"}, "NEXTCLOUD_PUBLIC_URL"),
        ({"NEXTCLOUD_ALLOW_LOCAL_ISSUER": "yes"}, "NEXTCLOUD_ALLOW_LOCAL_ISSUER"),
        ({"NEXTCLOUD_LINK_LOCAL_ACCOUNTS": "no"}, "NEXTCLOUD_LINK_LOCAL_ACCOUNTS"),
        ({"NEXTCLOUD_APPS": "notes;id"}, "NEXTCLOUD_APPS"),
        ({"NEXTCLOUD_APPS": "../notes"}, "NEXTCLOUD_APPS"),
        ({"NEXTCLOUD_APPS_FOLDER": "/nowhere"}, "/nowhere is not a folder"),
        ({"NEXTCLOUD_APPS_FOLDER": "/"}, "custom_apps"),
    ],
)
def test_wrong_setting_is_named_in_one_line(nextcloud: Nextcloud, settings: dict[str, str], named: str) -> None:
    """A missing or wrong setting ends the run before it calls occ."""
    assert named in refusal(nextcloud.set_up(**settings))
    assert not nextcloud.state["calls"]


def test_secret_can_come_from_a_file(nextcloud: Nextcloud, tmp_path: Path) -> None:
    """The trailing newline of the file is not part of the secret."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    nextcloud.set_up(NEXTCLOUD_OIDC_CLIENT_SECRET="", NEXTCLOUD_OIDC_CLIENT_SECRET_FILE=str(file))
    assert nextcloud.state["secrets"] == {"keycloak": SECRET}


@pytest.mark.parametrize("failing", [None, "save"])
def test_secret_is_not_in_output_arguments_or_environment(nextcloud: Nextcloud, failing: str | None) -> None:
    """The output, the argument lists (visible in ps) and the environments of child processes never have the secret."""
    nextcloud.change(fail=failing)
    result = nextcloud.set_up()
    assert SECRET not in result.stdout + result.stderr + json.dumps(nextcloud.state["calls"])


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "app:enable",
        "config:app:get",
        "config:system:get",
        "config:system:set",
        "config:app:set",
        "user_oidc:provider",
        "user:list",
        "save",
    ],
)
def test_failed_step_ends_the_run(nextcloud: Nextcloud, command: str) -> None:
    """A failed occ command ends the run with a non-zero status, occ's message and the next step."""
    nextcloud.change(fail=command)
    line = refusal(nextcloud.set_up(NEXTCLOUD_PUBLIC_URL="http://localhost:8080"))
    assert "the database is locked" in line
    assert "Next: " in line


@pytest.mark.parametrize(
    ("stuck", "named"),
    [
        ({"allow_local_remote_servers": "false"}, "allow_local_remote_servers"),
        ({"checkBearer": False}, "checkBearer"),
        ({"providerBasedId": True}, "providerBasedId"),
        ({"user_oidc": {"soft_auto_provision": True}}, "soft_auto_provision"),
    ],
)
def test_setting_that_was_not_stored_is_a_failure(nextcloud: Nextcloud, stuck: dict[str, object], named: str) -> None:
    """The run reads its settings back, and fails if a successful command has not stored the value."""
    nextcloud.change(stuck=stuck)
    assert named in refusal(nextcloud.set_up())


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ({"status": {"installed": False}}, "not installed"),
        ({"status": {"installed": True, "maintenance": True}}, "maintenance:mode --off"),
        ({"status": {"installed": True, "needsDbUpgrade": True}}, "occ upgrade"),
        ({"version": "8.4.2"}, "occ app:update user_oidc"),
    ],
)
def test_nextcloud_that_is_not_ready_is_refused(nextcloud: Nextcloud, state: dict[str, object], named: str) -> None:
    """The error says what to do first, instead of a failure in a later step."""
    nextcloud.change(**state)
    assert named in refusal(nextcloud.set_up())


def test_nextcloud_with_another_database_is_refused(nextcloud: Nextcloud) -> None:
    """If the environment has PostgreSQL and Nextcloud was installed with another database, nothing is changed."""
    nextcloud.change(config={"dbtype": "sqlite3"})
    assert "Nextcloud has its data in sqlite3" in refusal(nextcloud.set_up(POSTGRES_HOST="nextcloud-db"))
    assert not nextcloud.state["providers"]
    nextcloud.change(config={"dbtype": "pgsql"})
    assert last_line(nextcloud.set_up(POSTGRES_HOST="nextcloud-db"))


def test_wrong_occ_setting_is_named() -> None:
    """A wrong OCC ends the run with an error that names the setting."""
    result = run(SETUP, REQUIRED | {"OCC": "/nowhere/occ"})
    assert result.returncode != 0
    assert "set OCC" in result.stderr


def test_hooks_exist_for_both_events() -> None:
    """The official image finds hooks by folder, by the suffix .sh and by the executable bit."""
    assert {hook.parent.name for hook in HOOKS} == {"post-installation", "before-starting"}
    assert all(os.access(hook, os.X_OK) for hook in [*HOOKS, SETUP])


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The official image's file tree with hooks and script mounted as the README says."""
    root = tmp_path / "image"
    shutil.copytree(ROOM / "hooks", root / "docker-entrypoint-hooks.d")
    shutil.copy(SETUP, root / "setup.sh")
    return root


@pytest.mark.parametrize("moment", ["post-installation", "before-starting"])
def test_hook_does_not_consume_the_list_of_hooks(nextcloud: Nextcloud, image: Path, moment: str) -> None:
    """The image's loop reads hook names from standard input, and the hook must not consume it."""
    folder = image / "docker-entrypoint-hooks.d" / moment
    (folder / "20-next.sh").write_text("echo the next hook\n")
    loop = image / "loop.sh"
    loop.write_text(f'ls {folder}/*.sh | while read -r hook; do sh "$hook" || exit 1; done\n')
    result = run(loop, {"OCC": nextcloud.occ} | REQUIRED)
    assert last_line(result) == "the next hook"
    assert "keycloak" in nextcloud.state["providers"]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.parent.name)
def test_hook_fails_if_the_script_fails(nextcloud: Nextcloud, hook: Path) -> None:
    """A failed hook makes the image stop the start."""
    nextcloud.change(fail="save")
    assert "Saving provider" in refusal(run(hook, {"OCC": nextcloud.occ} | REQUIRED))


@pytest.fixture
def real_occ() -> Iterator[str]:
    """The real Nextcloud's occ; the tests' provider is removed in the end."""
    occ = os.environ.get("NEXTCLOUD_OCC")
    if not occ:
        pytest.skip("NEXTCLOUD_OCC is not set: no real Nextcloud to set up")
    yield occ
    _real(occ, "user_oidc:provider:delete", "setup-test", "--force")


def _real(occ: str, *arguments: str) -> str:
    return subprocess.check_output([*shlex.split(occ), *arguments], text=True)  # noqa: S603 - the operator's own occ


def test_real_nextcloud_is_set_up_idempotently(real_occ: str) -> None:
    """On a real Nextcloud the provider has the intended values, and a second run changes nothing."""
    environment = dict(os.environ) | REQUIRED | {"OCC": real_occ, "OIDC_PROVIDER_NAME": "setup-test"}
    environment["NEXTCLOUD_SHARED_PROVIDERS"] = "keycloak"
    assert "provider setup-test" in last_line(run(SETUP, environment))
    assert last_line(run(SETUP, environment)) == "setup.sh: nothing changed"
    provider = json.loads(_real(real_occ, "user_oidc:provider", "setup-test", "--output=json"))
    assert (provider["clientId"], provider["discoveryEndpoint"]) == ("nextcloud", LOCAL)
    assert provider["settings"]["checkBearer"] is True
    assert provider["settings"]["uniqueUid"] is False
    assert provider["settings"]["mappingUid"] == "preferred_username"
