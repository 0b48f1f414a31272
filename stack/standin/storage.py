"""All that the APIs of files share."""

from pathlib import Path
from typing import NamedTuple

from stack.standin.locks import Locks
from stack.standin.mounts import Mounts
from stack.standin.releases import Release
from stack.standin.tree import Tree


class Storage(NamedTuple):
    """The users' files, what others share with them, the locks, and the release of Nextcloud."""

    tree: Tree
    mounts: Mounts
    locks: Locks
    release: Release


def create_storage(tree: Tree, data: Path, release: Release) -> Storage:
    """Return the storage of these files; `data` is the folder of the shares."""
    return Storage(tree, Mounts(tree, data, release), Locks(tree), release)
