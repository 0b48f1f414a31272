#!/bin/sh
# The official image runs this once, after it has installed Nextcloud. Mount only this folder if you want to run setup.sh by
# hand for later changes. before-starting also runs after an installation.
exec sh "$(dirname "$0")/../../setup.sh"
