#!/bin/sh
# The official image runs this at every start, including the first; a failure stops the start. setup.sh is two folders up,
# both in the repository and in the image, where it is mounted at /setup.sh.
exec sh "$(dirname "$0")/../../setup.sh"
