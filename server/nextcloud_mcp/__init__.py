"""A thin MCP server: Nextcloud for AI assistants, signed in through Keycloak."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - else an older Python, run from a checkout, ends in a traceback
    sys.exit("Python 3.11 or newer is needed, and this is {}.{}.".format(*sys.version_info[:2]))
