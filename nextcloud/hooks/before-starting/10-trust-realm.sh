#!/bin/sh
# The official image runs this at every start, the first included; a failure stops the start. setup.sh lies two folders
# up, in the repository as in the image, where it is mounted at /setup.sh.
exec sh "$(dirname "$0")/../../setup.sh"
