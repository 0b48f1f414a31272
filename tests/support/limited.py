"""The server's command under the memory limit of compose.yaml.

If this process may create a memory cgroup (version 1 or 2), it moves itself into one, and the kernel kills it beyond
the limit, as in a container. Otherwise the test compares the process's peak memory with the limit.
"""

import os
import sys
from pathlib import Path
from typing import Final

LIMIT_BYTES: Final = "LIMITED_BYTES"
"""The environment variable with the memory limit in bytes."""

CGROUP: Final = "LIMITED_CGROUP"
"""The environment variable with the cgroup's name; the test that sets it removes the cgroup afterwards."""

_ROOT: Final = Path("/sys/fs/cgroup")


def cgroup_folder(name: str) -> Path:
    """Return the folder of the memory cgroup with this name; cgroup version 1 has a separate tree for memory."""
    return (_ROOT / "memory" if (_ROOT / "memory").is_dir() else _ROOT) / name


def enter_cgroup(name: str, limit_bytes: int) -> None:
    """Move this process into a new memory cgroup.

    Raises:
        OSError: this process may not create or enter a cgroup.
    """
    folder = cgroup_folder(name)
    folder.mkdir()
    is_first_version = (folder / "memory.limit_in_bytes").exists()
    (folder / ("memory.limit_in_bytes" if is_first_version else "memory.max")).write_text(str(limit_bytes))
    swap = folder / "memory.swap.max"
    if swap.exists():
        swap.write_text("0")
    (folder / "cgroup.procs").write_text(str(os.getpid()))


if __name__ == "__main__":
    try:
        enter_cgroup(os.environ[CGROUP], int(os.environ[LIMIT_BYTES]))
    except OSError as error:
        print(f"No memory cgroup can be made here ({error.strerror}); the peak is compared instead.", file=sys.stderr)  # noqa: T201 - for the log of the run
    command = str(Path(sys.executable).with_name("nextcloud-mcp"))
    os.execv(command, [command, *sys.argv[1:]])  # noqa: S606 - the server takes this process over, and its id
