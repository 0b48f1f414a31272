# What the scripts here share; they source it, from the root of the repository.
# shellcheck shell=sh disable=SC2034 # the variables are theirs

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# in_env NAME: the value of a line of .env.
in_env() { sed -n "s/^$1=//p" .env 2> /dev/null | tail -n 1 | sed "s/^[\"']//; s/[\"']\$//"; }

# One of the two at a time: each would end the other's maintenance mode, or remove its volumes. The lock goes with the
# last process that holds it, so a killed script leaves none behind.
take_lock() {
    exec 9> deploy/production/.lock
    flock --wait 60 9 || fail 'another backup.sh or restore.sh is running. Next: wait until it ends'
}

# A shell handles a signal only between two commands. What may take minutes therefore runs in the background, where
# waiting for it can be interrupted. `exec` in front of a command makes it that process itself, which leave() can end.
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

# secrets_folder: where compose mounts the secrets from.
secrets_folder() {
    docker compose config | sed -n 's|^ *file: \(.*\)/keycloak_admin_password$|\1|p'
}

# nextcloud_version: reads Nextcloud's version.php, writes 34.0.1.2
nextcloud_version() {
    sed -n 's/.*OC_Version = array(\(.*\)).*/\1/p' | tr -d ' ' | tr , .
}
