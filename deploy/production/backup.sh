#!/bin/sh
# Writes all that the deployment keeps into a new folder: backup.sh FOLDER. docs/how-to/back-up-and-restore.md says more.
#
# Nextcloud is in maintenance mode for as long as it takes, so that its files and its database belong together. The folder
# holds secrets, and everybody's files: keep it as you keep those.
#
#   OCC  the command that runs Nextcloud's occ
set -eu
umask 077

fail() {
    printf 'backup.sh: %s\n' "$1" >&2
    exit 1
}

[ $# = 1 ] || fail 'say where to: backup.sh FOLDER'
mkdir -p "$(dirname "$1")"
target=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
[ ! -e "$target" ] || fail "$target is there already. Next: name a new folder"
cd "$(dirname "$0")/../.."
OCC=${OCC:-docker compose exec -T -u www-data nextcloud php occ}
secrets=$(docker compose config | sed -n 's|^ *file: \(.*\)/keycloak_admin_password$|\1|p') # where it mounts them from
[ -n "$secrets" ] || fail 'docker compose names no secrets. Next: see that .env chooses the files of deploy/production'

# shellcheck disable=SC2086 # a command with its arguments
occ() { $OCC --no-interaction "$@" < /dev/null; }

in_maintenance=
leave() {
    [ -z "$in_maintenance" ] || occ maintenance:mode --off ||
        echo 'backup.sh: Nextcloud is still in maintenance mode. Next: occ maintenance:mode --off' >&2
    rm -rf "$target.partial"
}
trap leave EXIT
trap 'exit 1' HUP INT TERM

rm -rf "$target.partial"
mkdir "$target.partial"
in_maintenance=yes
occ maintenance:mode --on
echo "Keycloak's database"
docker compose exec -T keycloak-db pg_dump --username keycloak --format custom keycloak > "$target.partial/keycloak.pgdump"
echo "Nextcloud's database"
docker compose exec -T nextcloud-db pg_dump --username nextcloud --format custom nextcloud \
    > "$target.partial/nextcloud.pgdump"
echo "Nextcloud's files"
docker compose exec -T nextcloud tar --create --gzip --directory /var/www/html . > "$target.partial/nextcloud.tar.gz"
occ maintenance:mode --off
in_maintenance=
cp -R "$secrets" "$target.partial/secrets"
[ ! -f .env ] || cp .env "$target.partial/env"
# shellcheck disable=SC2094 # that file itself is left out
(cd "$target.partial" && find . -type f ! -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS)
mv "$target.partial" "$target"
echo "$target"
