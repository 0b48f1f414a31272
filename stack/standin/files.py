"""Files over WebDAV (RFC 4918): WsgiDAV's file system provider with Nextcloud's additional properties.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/basic.html: `oc:fileid`,
`oc:favorite`, `oc:size` and `oc:permissions` are in the namespace http://owncloud.org/ns.
"""

import shutil
from pathlib import Path
from typing import Any

from wsgidav.dav_error import HTTP_NOT_FOUND, DAVError  # type: ignore[import-untyped]
from wsgidav.fs_dav_provider import (  # type: ignore[import-untyped]
    FileResource,
    FilesystemProvider,
    FolderResource,
)

from stack.standin.mounts import CREATE, DELETE, Place
from stack.standin.storage import Storage
from stack.standin.tree import size

_OC = "{http://owncloud.org/ns}"
_NC = "{http://nextcloud.org/ns}"
_OCS = "{http://open-collaboration-services.org/ns}"
# WsgiDAV unquotes Destination before it splits the URL, and so cuts a name off at these two characters.
# They are passed as private-use characters, as in Cygwin, and the provider converts them back.
_TO_PRIVATE = {ord("?"): 0xF03F, ord(";"): 0xF03B}
_FROM_PRIVATE = {private: char for char, private in _TO_PRIVATE.items()}


def escape_delimiters(path: str) -> str:
    """Return a path that WsgiDAV does not cut off when it splits a Destination header."""
    return path.translate(_TO_PRIVATE)


class _Nextcloud:
    """Properties and ids that files and folders have in common."""

    provider: "FilesProvider"
    path: str

    def location(self) -> Path:
        return Path(self._file_path)  # type: ignore[attr-defined]

    def place(self) -> Place:
        user, _, path = self.path.strip("/").partition("/")
        return self.provider.mounts.find(user, path)

    def get_etag(self) -> str:
        return self.provider.tree.etag(self.location())

    def get_property_names(self, *, is_allprop: bool) -> list[str]:
        del is_allprop
        names = ["getlastmodified", "resourcetype", "getetag"]
        return ["{DAV:}" + name for name in names + self.own_properties()]

    def own_properties(self) -> list[str]:
        return ["getcontentlength", "getcontenttype"]

    def get_property_value(self, name: str) -> Any:
        try:
            if name == "{DAV:}getetag":
                return f'"{self.get_etag()}"'
            if name.startswith((_OC, _NC, _OCS)):
                return self._own_value(name.rpartition("}")[2])
        except FileNotFoundError:
            # another request has deleted it since it was listed
            raise DAVError(HTTP_NOT_FOUND) from None
        return super().get_property_value(name)  # type: ignore[misc]

    def set_property_value(self, name: str, value: Any, *, dry_run: bool = False) -> None:
        if name != _OC + "favorite":
            super().set_property_value(name, value, dry_run=dry_run)  # type: ignore[misc]
        elif not dry_run:
            star = value is not None and value.text == "1"
            self.provider.tree.set_favorite(self.location(), favorite=star)

    def delete(self) -> None:
        place = self.place()
        user, _, path = self.path.strip("/").partition("/")
        if place.is_mount and place.share is not None:
            self.provider.mounts.leave(user, place.share)
            return
        for share in self.provider.mounts.inside(user, path):
            self.provider.mounts.leave(user, share)
        self.provider.tree.remove(self.location(), by=user, location=path)

    def move_recursive(self, dest_path: str) -> None:
        place, old = self.place(), self.location()
        if place.is_mount and place.share is not None:
            user, _, path = dest_path.strip("/").partition("/")
            self.provider.mounts.move(user, place.share, path)
        else:
            super().move_recursive(dest_path)  # type: ignore[misc]
            self.provider.mounts.follow(old, self.provider.location(dest_path))

    def handle_delete(self) -> bool:
        # otherwise WsgiDAV would move each member of a folder to the trash separately
        self.delete()
        return True

    def _own_value(self, name: str) -> str:
        location = self.location()
        if name == "fileid":
            return str(self.provider.tree.node(location).id)
        if name == "favorite":
            return str(int(self.provider.tree.node(location).favorite))
        if name == "size":
            return str(size(location))
        place = self.place()
        values = {
            "permissions": place.letters,
            "share-permissions": str(
                place.permissions if place.path.is_dir() else place.permissions & ~(CREATE | DELETE)
            ),
            "owner-id": place.owner,
            "owner-display-name": self.provider.tree.display_name(place.owner),
            "mount-type": "" if place.share is None else "shared",
            "is-mount-root": str(place.is_mount).lower(),
            **self.provider.locks.properties(place),
        }
        if name not in values:
            raise DAVError(HTTP_NOT_FOUND)
        return values[name]


class File(_Nextcloud, FileResource):  # type: ignore[misc]
    """A file."""

    def get_content_type(self) -> str:
        """Return the media type without the parameter that WsgiDAV adds and Nextcloud does not."""
        return str(super().get_content_type()).partition(";")[0]

    def end_write(self, *, with_errors: bool) -> None:
        """Count the write, even if it failed: the content has changed."""
        del with_errors
        self.provider.tree.written(self.location())

    def copy_move_single(self, dest_path: str, *, is_move: bool) -> None:
        """Copy or move the file; a file that it replaces goes to the trash."""
        destination = self.provider.location(dest_path)
        if destination.is_file():
            self.provider.tree.remove(destination)
        super().copy_move_single(dest_path, is_move=is_move)

    def finalize_headers(self, environ: dict[str, Any], response_headers: list[tuple[str, str]]) -> None:
        """Send the ETag a second time, as Nextcloud does for clients behind a compressing proxy."""
        del environ
        response_headers.append(("OC-ETag", f'"{self.get_etag()}"'))


class Folder(_Nextcloud, FolderResource):  # type: ignore[misc]
    """A folder, whose members are listed by name."""

    def own_properties(self) -> list[str]:
        """Return the names of the quota properties; a folder has no content properties."""
        return ["quota-used-bytes", "quota-available-bytes"]

    def get_used_bytes(self) -> int:
        """Return the total size of the files in the folder, in bytes, instead of the disk's usage."""
        return size(self.location())

    def handle_copy(self, dest_path: str, *, depth_infinity: bool) -> bool:
        """Copy the folder without the shares of others that are mounted in it."""
        user, _, path = self.path.strip("/").partition("/")
        if depth_infinity and self.place().share is None and self.provider.mounts.inside(user, path):
            shutil.copytree(self.location(), self.provider.location(dest_path))
            return True
        return False

    def get_available_bytes(self) -> int:
        """Return -3, which stands for no limit in Nextcloud."""
        return -3

    def get_member_names(self) -> list[str]:
        """Return the names of the members, with what others share and what is mounted here."""
        user, _, path = self.path.strip("/").partition("/")
        return [*super().get_member_names(), *self.provider.mounts.members(user, path)]

    def get_member_list(self) -> list[Any]:
        """Return the members by name, without those that another request deletes meanwhile."""
        members = (self.get_member(name) for name in sorted(self.get_member_names()))
        return [member for member in members if member is not None]

    def create_empty_resource(self, name: str) -> Any:
        """Create a file with a new id."""
        created = super().create_empty_resource(name)
        self.provider.tree.forget(self.location() / name)
        return created

    def create_collection(self, name: str) -> None:
        """Create a folder with a new id."""
        super().create_collection(name)
        self.provider.tree.forget(self.location() / name)


class FilesProvider(FilesystemProvider):  # type: ignore[misc]
    """The files of all users; `webdav` checks access before it calls this."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(str(storage.tree.files), fs_opts={"follow_symlinks": False})
        self.tree, self.mounts, self.locks, self.release = storage

    def get_resource_inst(self, path: str, environ: dict[str, Any]) -> File | Folder | None:
        """Return the file or folder at a path, or None."""
        location = self.location(path)
        if location.is_dir():
            return Folder(path, environ, str(location))
        if location.is_file():
            return File(path, environ, str(location))
        return None

    def location(self, path: str) -> Path:
        """Return the location on disk of a path that starts with its owner's user id."""
        return Path(self._loc_to_file_path(path))

    def _loc_to_file_path(self, path: str, environ: dict[str, Any] | None = None) -> str:
        own = Path(super()._loc_to_file_path(path.translate(_FROM_PRIVATE), environ))
        user, *names = own.relative_to(self.tree.files).parts or ("",)
        return str(self.mounts.find(user, "/".join(names)).path) if names else str(own)
