"""nextcloud/setup.sh: what it sets, that a second run changes nothing, and that it fails loudly.

Most tests run it on a recorder in place of occ (fake_occ.py). The last one runs it on the Nextcloud whose occ the
variable NEXTCLOUD_OCC names, if there is one; it makes a provider of its own there, and removes it.
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


def test_the_first_run_makes_nextcloud_trust_the_realm(nextcloud: Nextcloud) -> None:
    """A stock Nextcloud gets the app, the provider with bearer check and user names as ids, and the secret."""
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
        },
    }
    assert nextcloud.state["secrets"] == {"keycloak": SECRET}


def test_the_second_run_changes_nothing_and_says_so(nextcloud: Nextcloud) -> None:
    """After one run, another leaves everything as it is."""
    nextcloud.set_up(NEXTCLOUD_PUBLIC_URL="http://localhost:8080")
    before = nextcloud.lasting
    result = nextcloud.set_up(NEXTCLOUD_PUBLIC_URL="http://localhost:8080")
    assert last_line(result) == "setup.sh: nothing changed"
    assert ": changed" not in result.stdout
    assert nextcloud.lasting == before


def test_every_run_drops_the_remembered_signing_keys(nextcloud: Nextcloud) -> None:
    """A run that changes nothing still makes user_oidc ask for the realm's keys anew, and says so."""
    nextcloud.set_up()
    nextcloud.change(jwks={"keycloak": "yesterday's keys"})
    assert "remembered signing keys are dropped" in nextcloud.set_up().stdout
    assert nextcloud.state["jwks"] == {"keycloak": ""}


def test_a_provider_that_drifted_is_set_right(nextcloud: Nextcloud) -> None:
    """What someone changed by hand is put back, and reported."""
    nextcloud.set_up()
    drifted = nextcloud.provider
    drifted["settings"]["checkBearer"] = False
    nextcloud.change(providers={"keycloak": drifted})
    assert last_line(nextcloud.set_up()) == "setup.sh: changed: provider keycloak"
    assert nextcloud.provider["settings"]["checkBearer"] is True


@pytest.mark.parametrize("other_way", [{"uniqueUid": True}, {"mappingUid": "sub"}])
def test_a_provider_that_names_accounts_otherwise_is_not_touched(
    nextcloud: Nextcloud, other_way: dict[str, object]
) -> None:
    """Nobody loses their account to a run: a provider with other user ids is refused and stays as it is."""
    nextcloud.set_up()
    other = nextcloud.provider
    other["settings"] |= other_way
    nextcloud.change(providers={"keycloak": other})
    assert "OIDC_PROVIDER_NAME" in refusal(nextcloud.set_up())
    assert nextcloud.provider == other


def test_names_come_from_the_settings(nextcloud: Nextcloud) -> None:
    """Provider and client id can be named otherwise."""
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
def test_a_local_issuer_may_be_asked(nextcloud: Nextcloud, host: str) -> None:
    """Where the issuer is on this machine or network, Nextcloud is told to connect there."""
    nextcloud.change(fail="user_oidc:provider")  # what comes after does not matter here
    nextcloud.set_up(OIDC_DISCOVERY_URL=f"http://{host}{DISCOVERY_PATH}")
    assert nextcloud.state["config"]["allow_local_remote_servers"] == "true"


@pytest.mark.parametrize(
    "host",
    ["keycloak.example.org", "localhost.example.org:8443", "10.example.org", "172.32.0.1", "8.8.8.8", "[2001:db8::1]"],
)
def test_a_public_issuer_opens_nothing(nextcloud: Nextcloud, host: str) -> None:
    """For any other issuer Nextcloud's guard against requests to the inside stays up."""
    nextcloud.change(fail="user_oidc:provider")  # what comes after does not matter here
    assert "not needed" in nextcloud.set_up(OIDC_DISCOVERY_URL=f"https://{host}{DISCOVERY_PATH}").stdout
    assert "allow_local_remote_servers" not in nextcloud.state["config"]


def test_a_public_name_with_a_private_address_is_asked_for(nextcloud: Nextcloud) -> None:
    """What the name does not tell, the operator may."""
    nextcloud.set_up(OIDC_DISCOVERY_URL=PUBLIC, NEXTCLOUD_ALLOW_LOCAL_ISSUER="true")
    assert nextcloud.state["config"]["allow_local_remote_servers"] == "true"


def test_keys_fetched_over_plain_http_from_afar_are_warned_of(nextcloud: Nextcloud) -> None:
    """A run goes on with such an issuer, but not silently."""
    result = nextcloud.set_up(OIDC_DISCOVERY_URL=PUBLIC.replace("https", "http"))
    last_line(result)
    assert "unencrypted" in result.stderr


def test_the_web_login_over_plain_http_follows_the_public_address(nextcloud: Nextcloud) -> None:
    """Allowed for an http:// site alone, refused again when the site moves to https://, else left alone."""
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
def test_a_nextcloud_that_checks_no_audience_is_refused(nextcloud: Nextcloud, line: dict[str, object]) -> None:
    """No provider is made where a token for any client of the realm would open Nextcloud."""
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
def test_other_lines_of_user_oidc_are_no_matter(nextcloud: Nextcloud, line: dict[str, object]) -> None:
    """Only a missing audience check on bearer tokens is refused."""
    nextcloud.change(config={"user_oidc": line})
    assert "provider keycloak" in last_line(nextcloud.set_up())


def test_local_accounts_need_a_choice(nextcloud: Nextcloud) -> None:
    """Where nobody chose, the run ends before the realm is trusted, and shows whose accounts are at stake."""
    nextcloud.change(accounts=[("anna", "LDAP", ["staff"]), ("zoe", "Database", ["staff", "admin"])])
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="")
    assert "NEXTCLOUD_LINK_LOCAL_ACCOUNTS is not set" in refusal(result)
    assert result.stdout.splitlines()[-2:] == ["  zoe (administrator, Database)", "  anna (LDAP)"]
    assert not nextcloud.state["providers"]
    assert "user_oidc" not in nextcloud.state["config"]


def test_accounts_are_shown_in_a_number_that_a_person_reads(nextcloud: Nextcloud) -> None:
    """Of many accounts the administrators are shown first, wherever occ lists them, and the rest is counted."""
    people = [(f"person{number:03}", "Database", ["staff"]) for number in range(700)]
    nextcloud.change(accounts=[*people, ("zoe", "Database", ["admin"])])
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="")
    shown = [line for line in result.stdout.splitlines() if line.startswith("  ")]
    assert (len(shown), shown[0], shown[-1]) == (21, "  zoe (administrator, Database)", "  and 681 more")


def test_a_bounded_number_of_accounts_is_read(nextcloud: Nextcloud) -> None:
    """A directory of a hundred thousand people does not hold the run up, and the run says how far it looked."""
    nextcloud.change(accounts=[(f"person{number}", "LDAP", []) for number in range(5000)])
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="")
    assert "The first 2000 accounts were looked at." in result.stdout
    assert sum(call["argv"][0] == "user:list" for call in nextcloud.state["calls"]) == 4


@pytest.mark.parametrize("accounts", [[], [("alice", "user_oidc", [])]])
def test_without_local_accounts_nothing_is_asked(nextcloud: Nextcloud, accounts: list[object]) -> None:
    """Where there is nothing to choose, accounts that come later are kept apart."""
    nextcloud.change(accounts=accounts)
    assert "local accounts" in last_line(nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS=""))
    assert nextcloud.state["config"]["user_oidc"] == {"soft_auto_provision": False}


ADMIN = ("admin", "Database", ["admin"])


def test_a_new_nextcloud_keeps_its_administrator_apart(nextcloud: Nextcloud) -> None:
    """The account that the official image installs Nextcloud with is kept from the realm without being asked about."""
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
    """Somebody else's account may be one that its owner wants to reach through the realm."""
    nextcloud.change(accounts=accounts)
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="", NEXTCLOUD_ADMIN_USER=installed_with)
    assert "NEXTCLOUD_LINK_LOCAL_ACCOUNTS is not set" in refusal(result)


def test_a_realm_that_is_trusted_already_needs_a_choice(nextcloud: Nextcloud) -> None:
    """Where a realm user could use the administrator's account until now, nobody closes it without being told."""
    nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="true")
    nextcloud.change(accounts=[ADMIN])
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="", NEXTCLOUD_ADMIN_USER="admin")
    assert "NEXTCLOUD_LINK_LOCAL_ACCOUNTS is not set" in refusal(result)


def test_a_refusal_in_the_configuration_is_a_choice(nextcloud: Nextcloud) -> None:
    """Who has refused local accounts to the realm already need not say it again."""
    nextcloud.change(config={"user_oidc": {"soft_auto_provision": False}})
    assert "provider keycloak" in last_line(nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS=""))


@pytest.mark.parametrize("value", [True, "false", "true", 1])
def test_nothing_else_in_the_configuration_is_a_choice(nextcloud: Nextcloud, value: object) -> None:
    """To PHP the string "false" is true; and what opens accounts is said in so many words, each time."""
    nextcloud.change(config={"user_oidc": {"soft_auto_provision": value}})
    assert "NEXTCLOUD_LINK_LOCAL_ACCOUNTS is not set" in refusal(nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS=""))


@pytest.mark.parametrize("before", [{}, {"soft_auto_provision": "false"}, {"soft_auto_provision": True, "x": 1}])
def test_local_accounts_are_refused_to_the_realm(nextcloud: Nextcloud, before: dict[str, object]) -> None:
    """The setting becomes the boolean, before the provider takes tokens, and other lines stay."""
    nextcloud.change(config={"user_oidc": before})
    assert "local accounts" in last_line(nextcloud.set_up())
    assert nextcloud.state["config"]["user_oidc"] == before | {"soft_auto_provision": False}
    commands = [call["argv"] for call in nextcloud.state["calls"]]
    refused = next(index for index, argv in enumerate(commands) if "soft_auto_provision" in argv)
    assert refused < next(index for index, argv in enumerate(commands) if "--check-bearer=1" in argv)


def test_local_accounts_are_opened_to_the_realm_on_demand(nextcloud: Nextcloud) -> None:
    """Who links accounts reads which, and that a name makes an administrator."""
    result = nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="true")
    assert "local accounts" in last_line(result)
    assert "  admin (administrator, Database)" in result.stdout
    assert "with the name of an administrator" in result.stderr
    assert nextcloud.state["config"]["user_oidc"] == {"soft_auto_provision": True}


def test_who_came_in_before_is_spoken_of(nextcloud: Nextcloud) -> None:
    """When accounts are no longer linked, the run says that sessions and app passwords stay."""
    nextcloud.set_up(NEXTCLOUD_LINK_LOCAL_ACCOUNTS="true")
    assert "occ user:auth-tokens:list" in nextcloud.set_up().stderr
    assert "occ user:auth-tokens:list" not in nextcloud.set_up().stderr


@pytest.mark.parametrize("value", [False, 0, "", "0", []])
def test_no_account_is_refused_where_none_is_made(nextcloud: Nextcloud, value: object) -> None:
    """With auto_provision off user_oidc gives local accounts whatever the other line says, so that is refused."""
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


def test_another_providers_accounts_are_no_prey(nextcloud: Nextcloud) -> None:
    """A realm whose users would get the accounts of another provider's is not trusted."""
    other_provider(nextcloud)
    assert 'NEXTCLOUD_SHARED_PROVIDERS="Corporate "A"/B"' in refusal(nextcloud.set_up())
    assert list(nextcloud.state["providers"]) == ['Corporate "A"/B']


@pytest.mark.parametrize("changes", [{"uniqueUid": True}, {"providerBasedId": True}, {"discoveryEndpoint": LOCAL}])
def test_another_provider_may_be_there(nextcloud: Nextcloud, changes: dict[str, object]) -> None:
    """One that names accounts by hash or by itself, or that is the same realm, stands in nobody's way."""
    other_provider(nextcloud, **changes)
    assert last_line(nextcloud.set_up()).endswith("provider keycloak")


def test_another_provider_may_have_the_same_people(nextcloud: Nextcloud) -> None:
    """The operator knows whether two providers sign in the same people."""
    other_provider(nextcloud)
    shared = 'old one,Corporate "A"/B'
    assert last_line(nextcloud.set_up(NEXTCLOUD_SHARED_PROVIDERS=shared)).endswith("provider keycloak")


def test_accounts_of_a_former_provider_are_shown(nextcloud: Nextcloud) -> None:
    """A provider that went leaves accounts, and the realm's users get them: the first run says which."""
    nextcloud.change(accounts=[("admin", "Database", ["admin"]), ("iris", "user_oidc", [])])
    result = nextcloud.set_up()
    assert "  iris (user_oidc)" in result.stdout
    assert "  admin" not in result.stdout
    assert "occ user:delete NAME" in result.stderr
    assert "iris" not in nextcloud.set_up().stdout


def test_apps_are_installed_once(nextcloud: Nextcloud) -> None:
    """Apps of the list come from the store, and a second run finds them there without asking it."""
    result = nextcloud.set_up(NEXTCLOUD_APPS="notes deck")
    assert last_line(result).endswith("provider keycloak, app notes, app deck")
    before = len(nextcloud.state["calls"])
    assert last_line(nextcloud.set_up(NEXTCLOUD_APPS="notes deck")) == "setup.sh: nothing changed"
    assert "app:update" not in {call["argv"][0] for call in nextcloud.state["calls"][before:]}


def test_an_app_that_fails_stops_nothing(nextcloud: Nextcloud) -> None:
    """The others are installed all the same, and the line of the one that failed has what occ said."""
    result = nextcloud.set_up(NEXTCLOUD_APPS="chess notes")
    assert last_line(result).endswith("provider keycloak, app notes")
    assert 'app chess: not installed: occ app:enable said "Could not download app chess' in result.stdout


def test_an_app_that_was_disabled_stays_so(nextcloud: Nextcloud) -> None:
    """What an administrator disabled or removed does not come back with the next start."""
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


def test_an_app_store_that_hangs_is_waited_for_once(nextcloud: Nextcloud, tmp_path: Path) -> None:
    """A start without a way out waits half a minute, not minutes for each app."""
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
def test_redis_that_refuses(nextcloud: Nextcloud, logged: str) -> None:
    """Without its Redis no request works, though occ does: the set-up ends with what Nextcloud's log says."""
    nextcloud.change(log=f"[error] [no app in context] {logged}\n")
    line = refusal(nextcloud.set_up())
    assert f'does not reach its Redis: "[error] [no app in context] {logged}"' in line
    assert "Next: see that Redis runs and takes Nextcloud's password" in line


def test_other_lines_of_the_log_stop_nothing(nextcloud: Nextcloud) -> None:
    """An app that logs an error does not keep Nextcloud from its start."""
    nextcloud.change(log="[error] [mail] no connection to the mail server\n")
    assert last_line(nextcloud.set_up()).startswith("setup.sh: changed: app user_oidc")


def test_occ_that_hangs_is_ended(nextcloud: Nextcloud, tmp_path: Path) -> None:
    """An occ that waits for ever, as it does for a Redis that does not answer, ends the set-up with a sentence."""
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
def test_nextcloud_that_does_not_start(
    nextcloud: Nextcloud, said: str, quoted: str, command: str, exit_status: int, on_stderr: str
) -> None:
    """What occ says of a Nextcloud that does not start ends the set-up, whatever occ's exit status is."""
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


def test_apps_come_from_a_folder(nextcloud: Nextcloud, folder: Path) -> None:
    """Without an app store user_oidc and the list come from the mounted folder, and what it lacks is reported."""
    nextcloud.change(store=[])
    settings = {"NEXTCLOUD_APPS_FOLDER": str(folder), "NEXTCLOUD_APPS": "notes deck"}
    installed = folder.parent / "nextcloud"
    result = run(SETUP, {"OCC": nextcloud.occ} | REQUIRED | settings, cwd=installed)
    assert "app notes" in last_line(result)
    assert f"app deck: not installed: {folder} has no deck/appinfo/info.xml" in result.stdout
    assert sorted(app.name for app in (installed / "custom_apps").iterdir()) == ["notes", "user_oidc"]
    assert (installed / "custom_apps/notes/appinfo/info.xml").read_text() == "<info><id>notes</id></info>"
    assert "app:update" not in {call["argv"][0] for call in nextcloud.state["calls"]}


def test_a_folder_without_user_oidc_ends_the_run(nextcloud: Nextcloud, folder: Path) -> None:
    """The one app that is needed stops the start, and the app store is not waited for."""
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
def test_a_wrong_setting_is_named_in_one_line(nextcloud: Nextcloud, settings: dict[str, str], named: str) -> None:
    """A missing or wrong setting ends the run before occ is called."""
    assert named in refusal(nextcloud.set_up(**settings))
    assert not nextcloud.state["calls"]


def test_the_secret_may_come_from_a_file(nextcloud: Nextcloud, tmp_path: Path) -> None:
    """A file's trailing newline is no part of the secret."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    nextcloud.set_up(NEXTCLOUD_OIDC_CLIENT_SECRET="", NEXTCLOUD_OIDC_CLIENT_SECRET_FILE=str(file))
    assert nextcloud.state["secrets"] == {"keycloak": SECRET}


@pytest.mark.parametrize("failing", [None, "save"])
def test_the_secret_shows_nowhere(nextcloud: Nextcloud, failing: str | None) -> None:
    """Not in the output, in no argument list (which ps shows) and in no child's environment, failure or not."""
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
def test_a_step_that_fails_ends_the_run(nextcloud: Nextcloud, command: str) -> None:
    """Whatever occ refuses: status not zero, occ's answer, and what to do next."""
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
def test_what_did_not_take_is_noticed(nextcloud: Nextcloud, stuck: dict[str, object], named: str) -> None:
    """The run reads back what it wrote: a success that set nothing is a failure."""
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
def test_a_nextcloud_that_is_not_ready_is_refused(nextcloud: Nextcloud, state: dict[str, object], named: str) -> None:
    """What must be done first is said in its own words, not by a later step's failure."""
    nextcloud.change(**state)
    assert named in refusal(nextcloud.set_up())


def test_data_of_another_deployment_are_refused(nextcloud: Nextcloud) -> None:
    """Where the environment names PostgreSQL and Nextcloud was installed with another database, nothing is set up."""
    nextcloud.change(config={"dbtype": "sqlite3"})
    assert "Nextcloud has its data in sqlite3" in refusal(nextcloud.set_up(POSTGRES_HOST="nextcloud-db"))
    assert not nextcloud.state["providers"]
    nextcloud.change(config={"dbtype": "pgsql"})
    assert last_line(nextcloud.set_up(POSTGRES_HOST="nextcloud-db"))


def test_an_occ_that_is_not_there_is_named() -> None:
    """A wrong OCC ends in a sentence that names the setting."""
    result = run(SETUP, REQUIRED | {"OCC": "/nowhere/occ"})
    assert result.returncode != 0
    assert "set OCC" in result.stderr


def test_hooks_are_there_for_both_moments() -> None:
    """The official image finds them by folder, by the ending .sh and by the executable bit."""
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
def test_a_hook_runs_the_script_and_lets_the_next_hook_run(nextcloud: Nextcloud, image: Path, moment: str) -> None:
    """Run as the image runs hooks, in a loop that reads names from standard input: none is swallowed."""
    folder = image / "docker-entrypoint-hooks.d" / moment
    (folder / "20-next.sh").write_text("echo the next hook\n")
    loop = image / "loop.sh"
    loop.write_text(f'ls {folder}/*.sh | while read -r hook; do sh "$hook" || exit 1; done\n')
    result = run(loop, {"OCC": nextcloud.occ} | REQUIRED)
    assert last_line(result) == "the next hook"
    assert "keycloak" in nextcloud.state["providers"]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.parent.name)
def test_a_hook_fails_when_the_script_does(nextcloud: Nextcloud, hook: Path) -> None:
    """The image then stops the start."""
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


def test_a_real_nextcloud_is_set_up_once(real_occ: str) -> None:
    """On a real Nextcloud the provider reads back as meant, and a second run changes nothing."""
    environment = dict(os.environ) | REQUIRED | {"OCC": real_occ, "OIDC_PROVIDER_NAME": "setup-test"}
    environment["NEXTCLOUD_SHARED_PROVIDERS"] = "keycloak"
    assert "provider setup-test" in last_line(run(SETUP, environment))
    assert last_line(run(SETUP, environment)) == "setup.sh: nothing changed"
    provider = json.loads(_real(real_occ, "user_oidc:provider", "setup-test", "--output=json"))
    assert (provider["clientId"], provider["discoveryEndpoint"]) == ("nextcloud", LOCAL)
    assert provider["settings"]["checkBearer"] is True
    assert provider["settings"]["uniqueUid"] is False
    assert provider["settings"]["mappingUid"] == "preferred_username"
