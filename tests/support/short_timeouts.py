"""The server's command with time-outs of one second and no wait before Keycloak is asked again, to speed up tests."""

import sys
from unittest.mock import patch

import httpx

import nextcloud_mcp.app
import nextcloud_mcp.auth.issuer
import nextcloud_mcp.nextcloud.client
from nextcloud_mcp.cli import main

SHORT = httpx.Timeout(1.0)

if __name__ == "__main__":
    with (
        patch.object(nextcloud_mcp.app, "KEYCLOAK_TIMEOUT", SHORT),
        patch.object(nextcloud_mcp.auth.issuer, "REFETCH_INTERVAL", 0.0),
        patch.object(nextcloud_mcp.auth.issuer, "RETRY_INTERVAL", 0.0),
        patch.object(nextcloud_mcp.nextcloud.client, "TIMEOUT", SHORT),
    ):
        sys.exit(main())
