#!/bin/sh
# What the official image of Nextcloud does at its start, as far as backup.sh and restore.sh see it: the files that they
# look for, and an upgrade.
set -eu
cd /var/www/html
mkdir -p config app-passwords data
[ -e config/config.php ] || echo '<?php // maintenance: off' > config/config.php
chown -R www-data config app-passwords
chown www-data data
touch cron.php
cp /usr/src/nextcloud/version.php .
cd /opt
exec "$@"
