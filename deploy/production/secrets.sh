#!/bin/sh
# Writes a new secret into each file that compose.yaml mounts and that is not there yet, and prints none of them:
#
#     deploy/production/secrets.sh [FOLDER]
#
# The folder is its owner's alone. In it the files are readable, for each container sees the ones mounted into it and runs as
# a user of its own.
set -eu
data=$(sed -n 's/^DATA=//p' "$(dirname "$0")/../../.env" 2> /dev/null || true) # after a restore the live secrets have another folder
folder=${1:-$(dirname "$0")/secrets${data:+-$data}}
mkdir -p "$folder"
chmod 700 "$folder"
for name in keycloak_admin_password keycloak_db_password mcp_client_secret \
    nextcloud_admin_password nextcloud_client_secret nextcloud_db_password redis_password; do
    if [ -s "$folder/$name" ]; then
        echo "$folder/$name: kept"
        continue
    fi
    head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "$folder/$name"
    chmod 444 "$folder/$name"
    echo "$folder/$name: written"
done
