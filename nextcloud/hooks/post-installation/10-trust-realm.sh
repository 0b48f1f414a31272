#!/bin/sh
# The official image runs this once, when it has installed Nextcloud. For those who mount this folder alone, and run
# setup.sh by hand when something is new: before-starting runs after an installation too.
exec sh "$(dirname "$0")/../../setup.sh"
