#!/bin/sh
# Writes all data of the deployment into a new folder: backup.sh FOLDER. See docs/how-to/back-up-and-restore.md.
#
# Nextcloud is in maintenance mode while its database and files are read, so that they are consistent. The folder contains
# secrets and all people's files: protect it as you protect these.
set -eu
umask 077
[ $# = 1 ] || { echo 'backup.sh: name a new folder: backup.sh FOLDER' >&2 && exit 1; }
mkdir -p "$(dirname "$1")"
target=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/../.."
. deploy/production/common.sh

[ ! -e "$target" ] || fail "$target exists. Next: name a new folder"
secrets=$(secrets_folder)
[ -n "$secrets" ] || fail 'docker compose names no secrets. Next: see that .env chooses the files of deploy/production'
partial=$target.partial
# Exists while a backup keeps maintenance mode on. After a kill -9, the next backup finds it and ends the mode.
marker=deploy/production/.maintenance

occ() { docker compose exec -T -u www-data nextcloud php occ --no-interaction "$@" < /dev/null; }
sql() { docker compose exec -T "$1-db" psql --username "$1" --no-align --tuples-only --command "$2" "$1" < /dev/null; }
dump() { ${exec:-} docker compose exec -T "$1-db" pg_dump --username "$1" --format custom "$1"; }
roles() { docker compose exec -T "$1-db" pg_dumpall --username "$1" --roles-only < /dev/null; }
restore_nowhere() { ${exec:-} docker compose exec -T "$1-db" pg_restore --file /dev/null; }
list() { docker compose exec -T "$1-db" pg_restore --list; }
pack() { ${exec:-} docker compose exec -T nextcloud tar --create --use-compress-program 'gzip --fast' --directory /var/www/html .; }

end_it="docker compose run --rm --no-deps --user www-data --entrypoint php nextcloud occ maintenance:mode --off; rm -f $marker"
began=
end_maintenance() {
    [ -n "$began" ] || return 0
    occ maintenance:mode --off || return 1
    rm -f "$marker"
    echo "Nextcloud was in maintenance mode for $(($(date +%s) - began)) s"
    began=
}

leave() {
    trap '' HUP INT TERM
    end_running
    end_maintenance ||
        echo "backup.sh: Nextcloud is still in maintenance mode. Next: $end_it" >&2
    rm -rf "$partial"
}

begin_maintenance() {
    case $(occ maintenance:mode) in
        *'currently disabled'*) ;;
        *'currently enabled'*)
            if [ ! -e "$marker" ]; then
                echo 'Nextcloud is in maintenance mode already, and stays in it after the backup'
                return
            fi
            echo 'Nextcloud is in maintenance mode since a backup that was killed; this backup ends it'
            ;;
        *) fail "occ does not run in the container nextcloud. Next: docker compose ps; if it does not start because it is in maintenance mode: $end_it" ;;
    esac
    : > "$marker"
    began=$(date +%s)
    occ maintenance:mode --on
}

# configuration: when config.php was written. Each change of the mode writes it, so this also shows a mode that ended and
# started again.
configuration() { docker compose exec -T nextcloud stat -c '%i %y' /var/www/html/config/config.php < /dev/null; }

check_maintenance() {
    case $(occ maintenance:mode) in
        *'currently enabled'*) [ "$(configuration)" != "$unchanged" ] || return 0 ;;
    esac
    fail 'maintenance mode was ended, or config.php changed, while the backup was taken, so its database and its files may not belong together. Next: see who runs occ; take another backup'
}

# check_dump DATABASE TABLE: reads every block of the dump, and compares the number of its tables with the database. One
# table must have this name, or a name that ends with it.
check_dump() {
    await restore_nowhere "$1" < "$partial/$1.pgdump" || fail "the dump of $1 cannot be read back. Next: see that $target has room"
    contents=$(list "$1" < "$partial/$1.pgdump" | grep ' TABLE DATA ' || true)
    printf '%s\n' "$contents" | grep -q " TABLE DATA [^ ]* [^ ]*$2 " ||
        fail "the database $1 has no table $2: it is not what this deployment uses. Next: occ config:system:get dbtype; docker compose logs $1"
    dumped=$(printf '%s\n' "$contents" | grep -c '')
    tables=$(cat "$partial/$1.tables")
    [ "$dumped" = "$tables" ] || fail "the dump of $1 has $dumped tables, the database $tables. Next: take another backup"
    rm "$partial/$1.tables"
}

# list_archive: prints name and size of each file in the archive; fails if the archive is truncated.
list_archive() { ${exec:-} tar --list --verbose --numeric-owner --gzip --file "$partial/nextcloud.tar.gz"; }

take_lock
began= unchanged=
trap leave EXIT
trap 'exit 1' HUP INT TERM
rm -rf "$partial"
mkdir "$partial"

begin_maintenance
unchanged=$(configuration)
for database in keycloak nextcloud; do
    echo "$database: database"
    roles "$database" > "$partial/$database.roles.sql"
    await dump "$database" > "$partial/$database.pgdump"
    sql "$database" "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')" \
        > "$partial/$database.tables"
done
echo 'nextcloud: files'
# tar exits with 1 if a file changed while it was read, as the log does. Reading the archive back shows if it is complete.
await pack > "$partial/nextcloud.tar.gz" || [ $? = 1 ] || fail "Nextcloud's files cannot be packed"
check_maintenance
end_maintenance

echo 'reading back'
check_dump keycloak realm
check_dump nextcloud appconfig
await list_archive > "$partial/files" || fail "the archive of Nextcloud's files is not whole. Next: see that $target has room"
for name in config/config.php version.php; do
    grep -q " \./$name\$" "$partial/files" || fail "the archive of Nextcloud's files lacks $name. Next: take another backup"
done
{
    echo "nextcloud=$(tar --extract --to-stdout --gzip --file "$partial/nextcloud.tar.gz" ./version.php | nextcloud_version)"
    awk '{ sum += $3 } END { printf "bytes_of_files=%.0f\n", sum }' "$partial/files"
    echo "bytes_of_databases=$(($(sql keycloak 'SELECT pg_database_size(current_database())') + \
        $(sql nextcloud 'SELECT pg_database_size(current_database())')))"
} > "$partial/about"
rm "$partial/files"
cp -R "$secrets" "$partial/secrets"
[ ! -f .env ] || cp .env "$partial/env"
# shellcheck disable=SC2094 # find omits SHA256SUMS itself
(cd "$partial" && find . -type f ! -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS)
sync
mv "$partial" "$target"
echo "$target"
