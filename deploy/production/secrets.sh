#!/bin/sh
# Writes a new secret into each file that compose.yaml mounts and that does not exist yet, and prints no secret:
#
#     deploy/production/secrets.sh [FOLDER]
#
# Only the owner can open the folder. The files in it are readable for all users, because each container runs as its own user
# and sees only the files mounted into it. Without FOLDER, the script uses the folder of the live data. It creates this folder
# only for new data, because new secrets cannot open existing data.
set -eu

# filled_volumes PROJECT: prints the project's volumes that contain data, with their sizes. An `up` without secrets leaves
# empty volumes.
filled_volumes() {
    docker volume ls --quiet --filter "label=com.docker.compose.project=$1" 2> /dev/null | grep -q . || return 0
    docker system df --verbose --format '{{range .Volumes}}{{.Name}} {{.Size}},{{end}}' | tr ',' '\n' |
        grep -E "^$1_(keycloak|nextcloud)(-db)? " | grep -v ' 0B$' || true
}

# restored: prints the names of the restored data on this host.
restored() {
    for each in "$secrets-"*; do
        [ ! -d "$each" ] || printf ' %s' "${each#"$secrets-"}"
    done
}

# live_folder: prints the folder of the live data's secrets. It is created only for the first data.
live_folder() {
    data=${DATA-$(in_env DATA)}
    if [ -n "$data" ]; then
        [ -d "$secrets-$data" ] ||
            fail "DATA names no restored data: $secrets-$data is missing. Next: correct DATA in .env; restored data here:$(restored)"
        echo "$secrets-$data"
        return
    fi
    [ -d "$secrets" ] || check_new
    echo "$secrets"
}

check_new() {
    [ -z "$(restored)" ] || fail "DATA is not set in .env, and $secrets is missing. Next: put DATA=NAME into .env; restored data here:$(restored)"
    project=${COMPOSE_PROJECT_NAME:-$(in_env COMPOSE_PROJECT_NAME)}
    project=${project:-nextcloud-mcp}
    filled=$(filled_volumes "$project" | tr '\n' ';')
    [ -z "$filled" ] || fail "volumes of the project $project hold data, and their secrets are not in $secrets: $filled new secrets would not open them. Next: if they are another deployment's, choose another COMPOSE_PROJECT_NAME in .env; otherwise put its secrets back, from a backup"
}

folder=${1:-}
if [ -z "$folder" ]; then
    cd "$(dirname "$0")/../.."
    . deploy/production/common.sh
    secrets=deploy/production/secrets
    folder=$(live_folder)
fi
mkdir -p "$folder"
chmod 700 "$folder"
for name in client_janitor_secret keycloak_admin_password keycloak_db_password mcp_client_secret \
    nextcloud_admin_password nextcloud_client_secret nextcloud_db_password redis_password; do
    if [ -s "$folder/$name" ]; then
        echo "$folder/$name: kept"
        continue
    fi
    head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "$folder/$name"
    chmod 444 "$folder/$name"
    echo "$folder/$name: written"
done
