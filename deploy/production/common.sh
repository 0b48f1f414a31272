# Functions that the scripts in this folder share. They source this file from the root of the repository.
# shellcheck shell=sh disable=SC2034 # the scripts use the variables

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# in_env NAME: prints the value of a variable in .env.
in_env() { sed -n "s/^$1=//p" .env 2> /dev/null | tail -n 1 | sed "s/^[\"']//; s/[\"']\$//"; }

# Only one of backup.sh and restore.sh may run at a time: each would end the other's maintenance mode, or remove its
# volumes. The lock ends with the last process that holds it, so a killed script leaves no lock.
take_lock() {
    exec 9> deploy/production/.lock
    flock --wait 60 9 || fail 'another backup.sh or restore.sh is running. Next: wait until it ends'
}

# A shell handles a signal only between two commands. So a command that may take minutes runs in the background, because
# a signal can interrupt `wait`. With `exec` before the command, the background process is the command itself, so that
# leave() can end it.
running=
await() {
    { exec="exec" "$@" <&3 3<&- & } 3<&0
    running=$!
    status=0
    wait "$running" || status=$?
    running=
    return "$status"
}

end_running() {
    [ -n "$running" ] || return 0
    kill "$running" 2> /dev/null || true
    wait "$running" 2> /dev/null || true
}

# secrets_folder: prints the folder from which compose mounts the secrets.
secrets_folder() {
    project_configuration=$(docker compose config) ||
        fail 'docker compose cannot read its files. Next: see its error above, and COMPOSE_FILE in .env'
    printf '%s\n' "$project_configuration" | sed -n 's|^ *file: \(.*\)/keycloak_admin_password$|\1|p'
}

# nextcloud_version: reads Nextcloud's version.php from standard input, prints a version such as 34.0.1.2.
nextcloud_version() {
    sed -n 's/.*OC_Version = array(\(.*\)).*/\1/p' | tr -d ' ' | tr , .
}
