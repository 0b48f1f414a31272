#!/bin/sh
# Brings a backup back: restore.sh [--replace] FOLDER. docs/how-to/back-up-and-restore.md says more.
#
# With --replace, what the deployment keeps now is dropped first; without it, restore.sh refuses where there is any. `.env`
# stays as it is, and names the deployment.
#
#   OCC  the command that runs Nextcloud's occ while its container does not run
set -eu
umask 077

fail() {
    printf 'restore.sh: %s\n' "$1" >&2
    exit 1
}

replace=
if [ "${1:-}" = --replace ]; then
    replace=yes
    shift
fi
[ $# = 1 ] || fail 'say from where: restore.sh [--replace] FOLDER'
[ -f "$1/SHA256SUMS" ] || fail "$1 is no backup, or not a whole one"
source=$(cd "$1" && pwd)
(cd "$source" && sha256sum --check --quiet SHA256SUMS) || fail "$source is damaged. Next: take another backup"
cd "$(dirname "$0")/../.."
OCC=${OCC:-docker compose run --rm -T --no-deps --user www-data --entrypoint php nextcloud occ}
secrets=$(docker compose config | sed -n 's|^ *file: \(.*\)/keycloak_admin_password$|\1|p') # where it mounts them from
[ -n "$secrets" ] || fail 'docker compose names no secrets. Next: see that .env chooses the files of deploy/production'
project=$(docker compose config | sed -n 's/^name: //p')

# shellcheck disable=SC2086 # a command with its arguments
occ() { $OCC --no-interaction "$@" < /dev/null; }

for volume in keycloak keycloak-db nextcloud nextcloud-db; do
    docker volume inspect "${project}_$volume" > /dev/null 2>&1 || continue
    [ -n "$replace" ] || fail "the volume ${project}_$volume is there. Next: restore.sh --replace, which drops what it holds"
done
docker compose down
for volume in keycloak keycloak-db nextcloud nextcloud-db; do
    docker volume rm --force "${project}_$volume" > /dev/null
done

rm -rf "$secrets"
cp -R "$source/secrets" "$secrets"
chmod 700 "$secrets"
chmod 444 "$secrets"/*

docker compose up --detach --wait keycloak-db nextcloud-db redis
echo "Keycloak's database"
docker compose exec -T keycloak-db pg_restore --username keycloak --dbname keycloak --exit-on-error \
    < "$source/keycloak.pgdump"
echo "Nextcloud's database"
docker compose exec -T nextcloud-db pg_restore --username nextcloud --dbname nextcloud --exit-on-error \
    < "$source/nextcloud.pgdump"
echo "Nextcloud's files"
docker compose run --rm -T --no-deps --user root --entrypoint tar nextcloud --extract --gzip --directory /var/www/html \
    < "$source/nextcloud.tar.gz"
occ maintenance:mode --off # it was on when the files were read, and its image starts no set-up in that mode
occ maintenance:data-fingerprint # tells people's sync clients that the server went back in time
docker compose up --detach --wait
