"""A fake of Nextcloud's occ for setup.sh and the doctor: `fake_occ.py STATE.json --no-interaction COMMAND …`.

The responses are those of Nextcloud 32.0.1 with user_oidc 8.10.1. The state is the JSON file, and every call is added
to `calls` in it. `fail` in the state names a command that fails, and `broken` one in which Nextcloud does not start.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

BOOLEANS = ("checkBearer", "bearerProvisioning", "uniqueUid", "providerBasedId", "groupProvisioning")
SETTINGS = {
    "--check-bearer": "checkBearer",
    "--bearer-provisioning": "bearerProvisioning",
    "--unique-uid": "uniqueUid",
    "--mapping-uid": "mappingUid",
    "--mapping-display-name": "mappingDisplayName",
    "--mapping-email": "mappingEmail",
    "--mapping-groups": "mappingGroups",
    "--group-provisioning": "groupProvisioning",
    "--group-whitelist-regex": "groupWhitelistRegex",
}
FIELDS = {"--clientid": "clientId", "--discoveryuri": "discoveryEndpoint", "--scope": "scope"}

State = dict[str, Any]
Options = dict[str, str]


def php_json(value: object, options: Options | None = None) -> str:
    """JSON as PHP writes it: slashes escaped; no spaces, or with `--output=json_pretty` a line a value."""
    pretty = (options or {}).get("--output") == "json_pretty"
    written = json.dumps(value, indent=4) if pretty else json.dumps(value, separators=(",", ":"))
    return written.replace("/", "\\/")


def provider(state: State, names: list[str], options: Options) -> str:
    """`user_oidc:provider NAME`: shows it, or with options makes or changes it; without a name, lists all."""
    if not names:
        return php_json([{**each, "settings": None} for each in state["providers"].values()], options)
    name = names[0]
    if not options.keys() - {"--output"}:
        if name not in state["providers"]:
            state["exit"] = 255
            return "Provider not found"
        return php_json(state["providers"][name])
    defaults = dict.fromkeys(SETTINGS.values(), "") | dict.fromkeys(BOOLEANS, False) | {"uniqueUid": True}
    saved = state["providers"].setdefault(
        name, {"id": len(state["providers"]) + 1, "identifier": name, "settings": defaults}
    )
    saved |= {field: options[option] for option, field in FIELDS.items()}
    for option, setting in SETTINGS.items():
        value = options[option]
        saved["settings"][setting] = value != "0" if setting in BOOLEANS else value
    saved["settings"] |= state["stuck"]
    state["jwks"][name] = ""
    state["secrets"][name] = sys.stdin.read()
    return f'Client secret loaded from file "{options["--clientsecret-file"]}"'


def get(state: State, names: list[str], options: Options) -> str:
    """`config:system:get` and `config:app:get`, of plain values."""
    value = state["config"].get(" ".join(names), options.get("--default-value"))
    if value is None:
        state["exit"] = 1
        return ""
    return php_json(value) if "--output" in options else str(value)


def put_system(state: State, names: list[str], options: Options) -> str:
    """`config:system:set` of a boolean: `NAME`, or `NAME KEY` where the value is an array."""
    value = options["--value"]
    match names:
        case [name, key]:
            array = state["config"].get(name) or {}
            state["config"][name] = array | {key: value == "true"}
        case _:
            state["config"][names[0]] = value
    state["config"] |= state["stuck"]
    return f"value {names[-1]} set"


def put_app(state: State, names: list[str], options: Options) -> str:
    """`config:app:set` of a boolean, which reads back as 1 or 0."""
    state["config"][" ".join(names)] = str(int(options["--value"] == "true"))
    return f"value {names[-1]} set"


def enable(state: State, names: list[str], _options: Options) -> str:
    """`app:enable APP`: one that is in an apps folder, or in the app store."""
    app = names[0]
    if f"{app} enabled" in state["config"] and state["config"][f"{app} enabled"] != "no":
        return f"{app} already enabled"
    if app not in state["apps"] + state["store"] and not Path("custom_apps", app).is_dir():
        state["exit"] = 1
        return f"Could not download app {app}, it was not found on the appstore"
    state["config"] |= {f"{app} installed_version": state["version"], f"{app} enabled": "yes"}
    return f"{app} {state['version']} enabled"


def list_apps(state: State, _names: list[str], options: Options) -> str:
    """`app:list`: the apps in apps folders, enabled or not."""
    config = state["config"]
    enabled = [app for app in [*state["apps"], *state["store"]] if config.get(f"{app} enabled", "no") != "no"]
    listed = {"enabled": dict.fromkeys(enabled, "1.0"), "disabled": dict.fromkeys(set(state["apps"]) - {*enabled}, "1")}
    return php_json(listed, options)


def tail_log(state: State, _names: list[str], _options: Options) -> str:
    """`log:tail --raw`: Nextcloud's log, to which each call adds the entries of `unstartable`, as JSON."""
    request = len(state["calls"])
    new = [entry | {"reqId": f"request-{request}"} for entry in state.get("unstartable", [])]
    return "\n".join(["No such file"] + [php_json(entry) for entry in [*state.get("logged", []), *new]])


def list_accounts(state: State, _names: list[str], options: Options) -> str:
    """`user:list --info`: some of the accounts; each is a name, a backend and groups."""
    start = int(options["--offset"])
    some = state["accounts"][start : start + int(options["--limit"])]
    return php_json(
        {
            name: {
                "user_id": name,
                "display_name": '"backend": "user_oidc"\n        "backend": "user_oidc"',
                "enabled": True,
                "groups": groups,
                "user_directory": f"/var/www/html/data/{name}",
                "backend": backend,
            }
            for name, backend, groups in some
        }
        or [],
        options,
    )


def show_account(state: State, names: list[str], options: Options) -> str:
    """`user:info NAME`: an account of the database is found in whatever letters, another one by its very name."""
    for name, backend, groups in state["accounts"]:
        if name == names[0] or (backend == "Database" and name.lower() == names[0].lower()):
            return php_json({"user_id": name, "groups": groups, "backend": backend}, options)
    state["exit"] = 1
    return "user not found"


COMMANDS = {
    "status": lambda state, _names, options: state.get("log", "") + php_json(state["status"], options),
    "app:enable": enable,
    "config:system:get": get,
    "config:app:get": get,
    "app:list": list_apps,
    "log:tail": tail_log,
    "app:update": lambda _state, _names, _options: "All apps are up-to-date or no updates could be found",
    "config:system:set": put_system,
    "config:app:set": put_app,
    "user:info": show_account,
    "user:list": list_accounts,
    "user_oidc:provider": provider,
}


def main(path: Path, command: str, *arguments: str) -> int:
    """One call: the answer goes to standard output, the exit status is returned."""
    state: State = json.loads(path.read_text()) | {"exit": 0}
    state["calls"].append({"argv": [command, *arguments], "environment": dict(os.environ)})
    names = [argument for argument in arguments if not argument.startswith("--")]
    options = dict(argument.partition("=")[::2] for argument in arguments if argument.startswith("--"))
    saves = command == "user_oidc:provider" and "--clientid" in options
    broken = state.get("broken") or {}
    if broken.get("command") in {command, "save" if saves else ""}:
        state["exit"] = broken["exit"]
        answer = ""
        print(broken["says"], file=sys.stderr if broken["on_stderr"] else sys.stdout)
    elif state["fail"] in {command, "save" if saves else ""}:
        state["exit"] = 1
        answer = "the database is locked"
    else:
        answer = COMMANDS[command](state, names, options)
    if answer:
        print(answer)  # noqa: T201 - a command's output
    path.write_text(json.dumps(state))
    return int(state["exit"])


if __name__ == "__main__":
    state_file, no_interaction, *rest = sys.argv[1:]
    if no_interaction != "--no-interaction":
        sys.exit("setup.sh must never wait for an answer")
    sys.exit(main(Path(state_file), *rest))
