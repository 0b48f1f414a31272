"""`python -m stack.standin`: the stand-in on a port, until it is ended."""

import argparse
from pathlib import Path

import uvicorn

from stack.standin.app import Options, create_app
from stack.standin.releases import NEXTCLOUD_34, RELEASES


def main() -> None:
    """Parse the command line and run the server."""
    parser = argparse.ArgumentParser(prog="python -m stack.standin", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps what people put here")
    parser.add_argument("--discovery-url", required=True, help="the realm's OpenID Connect discovery document")
    parser.add_argument("--client-id", default="nextcloud", help="what a token's aud has to contain")
    parser.add_argument("--jwks-ttl", type=float, default=3600, help="seconds for which signing keys are remembered")
    parser.add_argument(
        "--release",
        type=int,
        choices=list(RELEASES),
        default=NEXTCLOUD_34.major,
        help="what to play",
    )
    arguments = parser.parse_args()
    options = Options(
        arguments.data,
        arguments.discovery_url,
        client_id=arguments.client_id,
        jwks_ttl=arguments.jwks_ttl,
        release=RELEASES[arguments.release],
    )
    uvicorn.run(create_app(options), host=arguments.host, port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
