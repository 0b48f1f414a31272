"""Plays Nextcloud's occ as far as setup.sh and the doctor go: `fake_occ.py STATE.json --no-interaction COMMAND …`.

Answers are those of Nextcloud 32.0.1 with user_oidc 8.10.1. The state is the JSON file, and every call is added to
`calls` in it. `fail` in the state names a command that is to fail.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

BOOLEANS = ("checkBearer", "bearerProvisioning", "uniqueUid", "providerBasedId")
SETTINGS = {
    "--check-bearer": "checkBearer",
    "--bearer-provisioning": "bearerProvisioning",
    "--unique-uid": "uniqueUid",
    "--mapping-uid": "mappingUid",
    "--mapping-display-name": "mappingDisplayName",
    "--mapping-email": "mappingEmail",
}
FIELDS = {"--clientid": "clientId", "--discoveryuri": "discoveryEndpoint", "--scope": "scope"}

State = dict[str, Any]
Options = dict[str, str]


def php_json(value: object) -> str:
    """JSON as PHP writes it: no spaces, slashes escaped."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def provider(state: State, names: list[str], options: Options) -> str:
    """`user_oidc:provider NAME`: shows it, or with options makes or changes it; without a name, lists all."""
    if not names:
        return php_json([{**each, "settings": None} for each in state["providers"].values()])
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


def put(state: State, names: list[str], options: Options) -> str:
    """`config:system:set` and `config:app:set` of a boolean; an app's reads back as 1 or 0."""
    value = options["--value"]
    state["config"][" ".join(names)] = str(int(value == "true")) if len(names) > 1 else value
    state["config"] |= state["stuck"]
    return f"value {names[-1]} set"


def enable(state: State, names: list[str], _options: Options) -> str:
    """`app:enable APP`."""
    if "user_oidc installed_version" in state["config"]:
        return f"{names[0]} already enabled"
    state["config"]["user_oidc installed_version"] = state["version"]
    return f"{names[0]} {state['version']} enabled"


COMMANDS = {
    "status": lambda state, _names, _options: php_json(state["status"]),
    "app:enable": enable,
    "config:system:get": get,
    "config:app:get": get,
    "config:system:set": put,
    "config:app:set": put,
    "user_oidc:provider": provider,
}


def main(path: Path, command: str, *arguments: str) -> int:
    """One call: the answer goes to standard output, the exit status is returned."""
    state: State = json.loads(path.read_text()) | {"exit": 0}
    state["calls"].append({"argv": [command, *arguments], "environment": dict(os.environ)})
    names = [argument for argument in arguments if not argument.startswith("--")]
    options = dict(argument.partition("=")[::2] for argument in arguments if argument.startswith("--"))
    saves = command == "user_oidc:provider" and "--clientid" in options
    if state["fail"] in {command, "save" if saves else ""}:
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
