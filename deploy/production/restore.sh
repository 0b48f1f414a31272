#!/bin/sh
# Restores a backup: restore.sh [--replace] FOLDER. See docs/how-to/back-up-and-restore.md.
#
# The script restores the backup into separate volumes and a separate secrets folder, starts it beside the live deployment,
# and checks it. Then it writes the new `DATA` to .env, with one rename: before the rename the previous data are live,
# after it the restored data. Neither a restore nor a kill -9 at any step removes data that have been live. Only
# restore.sh --drop-previous NAME does, one set of data at a time, while the live data work. Without NAME it lists them.
set -eu
umask 077
usage='restore.sh [--replace] FOLDER, or restore.sh --drop-previous [NAME]'
action=restore replace=
case ${1:-} in
    --replace) replace=yes && shift ;;
    --drop-previous) action=drop && shift ;;
esac
case $action$# in
    restore1) [ -d "$1" ] || { printf 'restore.sh: %s is not a folder\n' "$1" >&2 && exit 1; } && source=$(cd "$1" && pwd) ;;
    drop0 | drop1) unwanted=${1:-} ;;
    *) printf 'restore.sh: wrong arguments. Next: %s\n' "$usage" >&2 && exit 1 ;;
esac
cd "$(dirname "$0")/../.."
. deploy/production/common.sh

# --- the deployment, as .env describes it ----------------------------------------------------------------------------

[ -f .env ] || fail 'there is no .env here. Next: on a new host, copy env from the backup to .env'
[ -z "${DATA+x}${COMPOSE_ENV_FILES:-}${COMPOSE_DISABLE_ENV_FILE:-}" ] ||
    fail 'DATA, COMPOSE_ENV_FILES or COMPOSE_DISABLE_ENV_FILE is set in the environment, so .env cannot say which data are live. Next: unset it'

files=${COMPOSE_FILE:-$(in_env COMPOSE_FILE)}
live=$(in_env DATA)
secrets=$(export DATA='' && secrets_folder) # of the first installation; the live data have secrets-$live
[ -n "$secrets" ] || fail 'docker compose names no secrets. Next: see that .env chooses the files of deploy/production'
project=$(docker compose config | sed -n 's/^name: //p')
volumes='keycloak keycloak-db nextcloud nextcloud-db'
first=first-installation # the name of the data without DATA
live_name=${live:-$first}

# beside ARGUMENTS: runs docker compose for the restored data.
beside() {
    ${exec:-} env COMPOSE_PROJECT_NAME="$project-restore" COMPOSE_FILE="$files:deploy/production/restore.yaml" \
        RESTORE_OF="$project" DATA="$data" SECRETS="$secrets.unchecked" docker compose --progress quiet "$@"
}
deployed() { ${exec:-} docker compose --progress quiet "$@"; }

# checked ARGUMENTS: runs docker compose for the data under check, the restored or the live data.
target=beside
checked() { "$target" "$@"; }
occ() { checked exec -T --user www-data nextcloud php occ --no-interaction "$@" < /dev/null; }
in_image() { beside run --rm -T --no-deps --entrypoint "$@"; }
run_occ() { in_image php --user www-data nextcloud occ --no-interaction "$@" < /dev/null; }
psql() { beside exec -T "$1-db" psql --username "$1" --quiet --set ON_ERROR_STOP=1 --single-transaction --file - "$1"; }
load() { beside exec -T "$1-db" pg_restore --username "$1" --dbname "$1" --exit-on-error; }
up() { ${exec:-} docker compose up --detach --wait; }

# end_beside: removes the containers, networks and volumes of the project beside the live deployment. The restored data
# are not among these volumes: they belong to the live deployment's project. It searches several times, because a
# container that was about to start when the restore was interrupted may start after the first search.
end_beside() {
    attempts=30
    until remove_beside 2> /dev/null; do
        attempts=$((attempts - 1))
        [ "$attempts" -gt 0 ] || { remove_beside; return; }
        sleep 1
    done
}

remove_beside() {
    containers=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project-restore") || return
    # shellcheck disable=SC2086 # a list
    [ -z "$containers" ] || docker rm --force --volumes $containers > /dev/null || return
    networks=$(docker network ls --quiet --filter "label=com.docker.compose.project=$project-restore") || return
    # shellcheck disable=SC2086 # a list
    [ -z "$networks" ] || docker network rm $networks > /dev/null || return
    others=$(docker volume ls --quiet --filter "label=com.docker.compose.project=$project-restore") || return
    # shellcheck disable=SC2086 # a list
    [ -z "$others" ] || docker volume rm $others > /dev/null
}

# drop DATA: removes a set of data. Its secrets go last, because the script finds data by their secrets.
drop() {
    for name in $volumes; do
        docker volume rm --force "$(volume "$name" "$1")" > /dev/null
    done
    rm -rf "$secrets${1:+-$1}" "$secrets.unchecked${1:+-$1}"
}

# drop_unchecked: removes the incomplete data of an earlier run.
drop_unchecked() {
    for folder in "$secrets.unchecked-"*; do
        [ ! -d "$folder" ] || drop "${folder#"$secrets.unchecked-"}"
    done
}

# list_data: prints the name of each set of data on this host. If DATA was wrong, `up` created volumes without secrets.
list_data() {
    {
        for folder in "$secrets" "$secrets-"*; do
            [ ! -d "$folder" ] || echo "${folder#"$secrets"}"
        done
        docker volume ls --quiet --filter "label=com.docker.compose.project=$project" |
            sed -n "s/^${project}_nextcloud-db//p"
    } | sed "s/^-//; s/^\$/$first/" | sort -u
}

# volume NAME DATA: prints the volume's name in docker.
volume() { echo "${project}_$1${2:+-$2}"; }

# size_of DATA: prints the size of its volumes, in MB.
size_of() {
    set -- "$1" --network none --user root --entrypoint du
    for name in $volumes; do
        ! docker volume inspect "$(volume "$name" "$1")" > /dev/null 2>&1 ||
            set -- "$@" --volume "$(volume "$name" "$1"):/data/$name:ro"
    done
    shift
    docker run --rm "$@" "$image" -sm /data 2> /dev/null | awk 'END { print $1 + 0 }' # live data change meanwhile
}

# check_live: checks that every container of the deployment runs on the data that .env names, and is healthy if it has a
# health check.
check_live() {
    states=$(docker compose ps --all --format '{{.Service}} {{.State}} {{.Health}}')
    for service in $(docker compose config --services); do
        [ "$service" != client-janitor ] || [ "$(in_env CLIENT_JANITORS)" != 0 ] || continue
        printf '%s\n' "$states" | grep -q "^$service running" || untouched "$service does not run"
    done
    bad=$(printf '%s\n' "$states" | grep -Ev ' running( healthy)? *$' || true)
    [ -z "$bad" ] || untouched "not everything is healthy: $(echo "$bad" | tr '\n' ' ')"
    # shellcheck disable=SC2046 # a list
    mounted=$(docker inspect --format '{{range .Mounts}}{{.Name}} {{end}}' $(docker compose ps --quiet))
    for name in $volumes; do
        printf '%s\n' "$mounted" | tr ' ' '\n' | grep -qx "$(volume "$name" "$live")" ||
            untouched "the containers run on other data than those which DATA names in .env, $live_name"
    done
    image=$(docker inspect --format '{{.Image}}' "$(docker compose ps --quiet nextcloud-db)")
}

drop_previous() {
    [ "$unwanted" != "$live_name" ] || fail "$unwanted are the live data"
    target=deployed
    consequence="Nothing was dropped. Next: see DATA in .env, which names $live_name, of the data here: $(list_data | tr '\n' ' '); docker compose up --detach --wait"
    check_live
    check_chain
    check_people
    end_beside
    drop_unchecked
    others=$(list_data | grep -vx "$live_name" || true)
    echo "stays: $live_name, the live data, $(size_of "$live") MB"
    [ -n "$others" ] || { echo 'there are no other data'; return; }
    [ -z "$unwanted" ] || printf '%s\n' "$others" | grep -Fqx "$unwanted" ||
        fail "there are no data $unwanted. Next: one of $(echo "$others" | tr '\n' ' ')"
    for name in $others; do
        verb=stays
        [ "$name" != "$unwanted" ] || verb=goes
        echo "$verb: $name, $(size_of "$(data_of "$name")") MB"
    done
    [ -n "$unwanted" ] || { echo "nothing was dropped. To drop data: deploy/production/restore.sh --drop-previous NAME"; return; }
    drop "$(data_of "$unwanted")"
    echo "dropped $unwanted"
}

# data_of NAME: prints the value of DATA.
data_of() { [ "$1" = "$first" ] || echo "$1"; }

# --- the backup ------------------------------------------------------------------------------------------------------

# addresses OPTIONS: prints the three public URLs. Reads only services, because an overlay replaces values of x- blocks.
addresses() {
    COMPOSE_FILE=$files docker compose "$@" config |
        sed -n -E '/^services:/,/^[^ ]/ s/^ +(NEXTCLOUD_MCP_SERVER_URL|KC_HOSTNAME|NEXTCLOUD_PUBLIC_URL): //p' | sort -u
}

about() { sed -n "s/^$1=//p" "$source/about" 2> /dev/null || true; }

check_sums() { (cd "$source" && ${exec:-} sha256sum --check --quiet SHA256SUMS); }

check_backup() {
    [ -f "$source/SHA256SUMS" ] || fail "$source is no backup, or not a complete one"
    for name in keycloak.pgdump nextcloud.pgdump nextcloud.tar.gz secrets/keycloak_db_password; do
        [ -s "$source/$name" ] || fail "$source is damaged: $name is missing or empty. Next: take another backup"
    done
    await check_sums || fail "$source is damaged. Next: take another backup"
    [ -f "$source/env" ] || return 0
    wanted=$(addresses --env-file "$source/env")
    [ "$(addresses)" = "$wanted" ] ||
        fail "the backup is of $(echo "$wanted" | tr '\n' ' ')and .env has other names, which its realm would not accept. Next: take the names from $source/env"
}

# describe: sets version and sizes. If an older backup has no file `about`, it reads them from the backup itself.
describe() {
    version=$(about nextcloud) files_size=$(about bytes_of_files) databases_size=$(about bytes_of_databases)
    [ -z "$version" ] || return 0
    version=$(tar --extract --to-stdout --gzip --file "$source/nextcloud.tar.gz" ./version.php | nextcloud_version)
    files_size=$(tar --list --verbose --numeric-owner --gzip --file "$source/nextcloud.tar.gz" |
        awk '{ sum += $3 } END { printf "%.0f", sum }')
    databases_size=$(cat "$source/keycloak.pgdump" "$source/nextcloud.pgdump" | wc -c) # compressed
    databases_size=$((databases_size * 10))
}

newer() { [ "$1" != "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -t . -n -k 1,1 -k 2,2 -k 3,3 -k 4,4 | tail -n 1)" = "$1" ]; }

# check_image: checks, before anything is restored, the versions with which the official image would refuse to start.
check_image() {
    image=$(in_image cat nextcloud /usr/src/nextcloud/version.php < /dev/null | nextcloud_version)
    [ -n "$image" ] || fail 'the image of Nextcloud does not say its version. Next: see NEXTCLOUD_IMAGE in .env'
    [ -n "$version" ] || fail "$source is damaged: it does not say the version of its Nextcloud. Next: take another backup"
    ! newer "$version" "$image" ||
        fail "the backup is of Nextcloud $version, the image has $image, and Nextcloud cannot go back. Next: name an image of $version or newer in NEXTCLOUD_IMAGE"
    [ "${image%%.*}" -le $((${version%%.*} + 1)) ] ||
        fail "the backup is of Nextcloud $version, the image has $image, and Nextcloud upgrades one major version at a time. Next: name an image of ${version%%.*} in NEXTCLOUD_IMAGE"
}

# check_room: checks the disk space for the restored data, and a tenth more, which the databases write while they load.
check_room() {
    needed=$(((files_size + databases_size) / 1024))
    needed=$((needed + needed / 10))
    room=$(in_image df nextcloud -Pk /var/www/html < /dev/null | awk 'END { print $4 }')
    echo "the restored data need $((needed / 1024)) MB, there is room for $((room / 1024)) MB"
    [ "$needed" -le "$room" ] || fail 'there is not enough room beside the live data. Next: deploy/production/restore.sh --drop-previous lists what earlier restores have kept'
}

# --- the steps -------------------------------------------------------------------------------------------------------

# The realm of a backup without the janitor's secret is older than the service, and has no client for it.
without_janitor=

make_volumes() {
    [ -f "$source/secrets/client_janitor_secret" ] || without_janitor=yes
    mkdir "$secrets.unchecked-$data"
    cp -R "$source/secrets/." "$secrets.unchecked-$data"
    secrets_report=$(deploy/production/secrets.sh "$secrets.unchecked-$data") # adds secrets that are newer than the backup
    printf '%s\n' "$secrets_report" | grep ': written' || true
    chmod 444 "$secrets.unchecked-$data"/*
    for name in $volumes; do
        docker volume create --label "com.docker.compose.project=$project" --label "com.docker.compose.volume=$name" \
            "${project}_$name-$data" > /dev/null
    done
}

# load_roles DATABASE: restores the roles of that database server, except the role that its image created.
load_roles() {
    [ -f "$source/$1.roles.sql" ] || return 0
    sed "/^CREATE ROLE $1;\$/d" "$source/$1.roles.sql" | psql "$1" > /dev/null
}

# own_role: prints SQL for the role with which Nextcloud signs in. If permitted, Nextcloud's installer creates one
# (oc_admin), whose password is only in config.php.
own_role() {
    in_image php --user www-data nextcloud << 'PHP'
<?php
require '/var/www/html/config/config.php';
if ($CONFIG['dbtype'] !== 'pgsql') {
    fwrite(STDERR, "config.php has the database type {$CONFIG['dbtype']}, this deployment has pgsql\n");
    exit(1);
}
$literal = fn (string $text): string => "E'" . str_replace(['\\', "'"], ['\\\\', "''"], $text) . "'";
$identifier = fn (string $text): string => '"' . str_replace('"', '""', $text) . '"';
$role = $CONFIG['dbuser'];
echo "SET log_min_error_statement = panic;\n"; // no password in the log
echo "SELECT format('CREATE ROLE %I CREATEDB', {$literal($role)})",
    " WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {$literal($role)}) \\gexec\n";
echo "ALTER ROLE {$identifier($role)} LOGIN PASSWORD {$literal($CONFIG['dbpassword'])};\n";
echo "REVOKE ALL ON DATABASE {$identifier($CONFIG['dbname'])} FROM PUBLIC;\n"; // as the installer does
echo "GRANT CONNECT ON DATABASE {$identifier($CONFIG['dbname'])} TO {$identifier($role)};\n";
PHP
}

restore_keycloak() {
    await beside up --detach --wait keycloak-db nextcloud-db
    load_roles keycloak
    await load keycloak < "$source/keycloak.pgdump"
}

restore_files() {
    await in_image tar --user root nextcloud --extract --gzip --directory /var/www/html < "$source/nextcloud.tar.gz"
}

restore_nextcloud() {
    load_roles nextcloud
    role=$(own_role) # no pipe, because a pipe would hide a failure
    printf '%s\n' "$role" | psql nextcloud > /dev/null
    await load nextcloud < "$source/nextcloud.pgdump"
}

start_beside() {
    run_occ maintenance:mode --off > /dev/null # the backup was made in this mode, in which the image runs no set-up
    run_occ maintenance:data-fingerprint # tells people's sync clients that the server has older data
    await beside up --detach --wait keycloak nextcloud mcp-exchange
}

switch() {
    docker compose down
    env=$(readlink -f .env)
    cp -p "$env" "$env.new" # keeps its mode
    sed "/^DATA=/d${without_janitor:+; /^CLIENT_JANITORS=/d}" "$env" > "$env.new"
    [ -z "$(tail -c 1 "$env.new")" ] || echo >> "$env.new"
    [ -z "$without_janitor" ] || echo 'CLIENT_JANITORS=0' >> "$env.new"
    echo "DATA=$data" >> "$env.new"
    sync
    mv "$secrets.unchecked-$data" "$secrets-$data" # from now on, only --drop-previous removes them
    mv "$env.new" "$env"
    sync
}

# --- the checks of what was restored ---------------------------------------------------------------------------------

# check_chain: runs the doctor without a person's token. Checks that the realm answers, that it accepts the server's client
# and secret, and that Nextcloud answers.
check_chain() {
    report=$(checked exec -T mcp-exchange nextcloud-mcp doctor --json --no-registration < /dev/null) || [ -n "$report" ] ||
        untouched 'the doctor does not run'
    printf '%s' "$report" | checked exec -T mcp-exchange python -c '
import json, sys
steps = {step["code"]: step for step in json.load(sys.stdin)["steps"]}
bad = [steps[code] for code in sys.argv[1:] if steps[code]["outcome"] not in ("ok", "warning")]
for step in bad:
    print(step["code"], *(problem["cause"] for problem in step["problems"]), sep=": ", file=sys.stderr)
sys.exit(1 if bad else 0)' issuer.metadata issuer.keys exchange.client nextcloud.status nextcloud.ocs ||
        untouched 'the deployment with these data does not work'
    state=$(occ status --output=json)
    for wanted in '"installed":true' '"maintenance":false' '"needsDbUpgrade":false'; do
        case $state in *"$wanted"*) ;; *) untouched "Nextcloud does not say $wanted, but $state" ;; esac
    done
}

# as_person METHOD PATH OPTIONS: sends a request with the person's app password, which is in no argument list.
as_person() {
    method=$1 path=$2
    shift 2
    printf 'user = "%s:%s"\n' "$person" "$password" | checked exec -T nextcloud curl --silent --config - \
        --request "$method" --header 'OCS-APIRequest: true' "$@" "http://nextcloud$path"
}

# check_person: creates an app password for a person, signs in with it, reads their smallest file, and revokes it. An app
# password needs nothing from the person, gives the same access as a sign-in, and shows in the person's activity.
check_person() {
    password=$(occ user:auth-tokens:add --name 'Check after a restore' "$person" | tail -n 1)
    home=/remote.php/dav/files/$(printf %s "$person" | sed 's/ /%20/g')/
    listing=$(as_person PROPFIND "$home" --header 'Depth: 1' --fail) && signed_in=yes
    file=$(printf '%s' "$listing" | tr -d '\n' | sed 's/<\([a-zA-Z]*:\)response>/\n/g; s/&amp;/\&/g' |
        sed -n -E 's|.*href>([^<]*[^/<])</.*getcontentlength>([1-9][0-9]*)</.*|\2 \1|p' | sort -n | head -n 1)
    bytes=0
    [ -z "$file" ] || bytes=$(as_person GET "${file#* }" --fail --output /dev/null --write-out '%{size_download}')
    as_person DELETE /ocs/v2.php/core/apppassword --output /dev/null
    [ -n "$file" ] || return 1
    [ "$bytes" = "${file%% *}" ] || untouched "a person's file has ${bytes:-no} bytes instead of ${file%% *}"
    echo "signed in as a person, and read a file of $bytes bytes"
}

# check_people: checks the first twenty people until one has a file. One is enough, because disabled people cannot sign in.
check_people() {
    signed_in=
    people=$(occ user:list --limit 20 | sed -n 's/^  - \([^:]*\):.*/\1/p')
    while read -r person; do
        [ -n "$person" ] || continue
        ! check_person || return 0
    done << EOL
$people
EOL
    [ -z "$people" ] || [ -n "$signed_in" ] || untouched 'none of the first twenty people can sign in'
    echo "${signed_in:+signed in as a person; }none of the first twenty people has a file to read"
}

consequence='The live data were not touched'
untouched() { fail "$1. $consequence"; }

# --- all together ----------------------------------------------------------------------------------------------------

step() { echo "restore.sh: $1"; }

switching=
leave() {
    status=$?
    trap '' HUP INT TERM
    end_running
    if [ -n "$switching" ]; then
        [ "$status" = 0 ] || echo 'restore.sh: it was interrupted while it switched. Next: docker compose up --detach --wait' >&2
        return
    fi
    end_beside
    drop_unchecked
    echo 'restore.sh: nothing was restored; what it had begun was removed' >&2
}

restore() {
    step 'checking the backup'
    previous=
    ! docker volume inspect "$(volume nextcloud-db "$live")" > /dev/null 2>&1 || previous=yes
    [ -n "$replace" ] || [ -z "$previous" ] ||
        fail "there are live data already, $live_name. Next: deploy/production/restore.sh --replace, which keeps them until deploy/production/restore.sh --drop-previous $live_name"
    check_backup
    describe
    step 'making volumes'
    make_volumes
    check_image
    check_room
    step "restoring Keycloak's database"
    restore_keycloak
    step "restoring Nextcloud's files"
    restore_files
    step "restoring Nextcloud's database"
    restore_nextcloud
    step 'starting beside the live deployment'
    start_beside
    step 'checking what was restored'
    check_chain
    check_people
    step 'switching'
    beside stop # gives the databases time to write their data
    end_beside
    running_before=$(docker compose ps --quiet nextcloud)
    since=$(date +%s)
    switching=yes
    switch
    step 'starting'
    await up
    echo "The restored data $data are live${running_before:+; people were shut out for $(($(date +%s) - since)) s}."
    [ -z "$without_janitor" ] ||
        echo 'Their realm has no client client-janitor, so CLIENT_JANITORS=0 in .env leaves that service out. Next: docs/how-to/keep-registration-open.md, "In an existing realm"; or delete the line when you go back to other data.'
    if [ -n "$previous" ]; then
        back=delete
        [ -z "$live" ] || back="put DATA=$live in the place of"
        echo "The data before it are kept. deploy/production/restore.sh --drop-previous $live_name removes them."
        echo "To go back to them: docker compose down; in .env, $back DATA=$data; docker compose up --detach --wait. After that, deploy/production/restore.sh --drop-previous $data removes the restored data."
    fi
}

take_lock
data=
trap 'exit 1' HUP INT TERM
if [ $action = drop ]; then
    drop_previous
    exit
fi
trap leave EXIT
end_beside
drop_unchecked
data=$(date +%Y%m%dT%H%M%S)
restore
