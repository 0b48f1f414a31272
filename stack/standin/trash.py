"""`/remote.php/dav/trashbin`: lists and restores deleted files.

https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/trashbin.html. Recorded from Nextcloud 32:
restoring a file overwrites no other, and moves it to the root if its folder no longer exists. The stand-in never
empties the trash.
"""

from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.standin.gate import account_of
from stack.standin.mounts import CREATE, Mounts
from stack.standin.sabre import MEDIA_TYPE, error_body
from stack.standin.tree import Deleted, Tree, size

PATH = "/remote.php/dav/trashbin"
_OK = "<d:status>HTTP/1.1 200 OK</d:status>"
_MULTISTATUS = (
    '<?xml version="1.0"?>\n<d:multistatus xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" '
    'xmlns:nc="http://nextcloud.org/ns">{}</d:multistatus>'
)
_FOLDER = (
    "<d:response><d:href>{}/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/></d:resourcetype></d:prop>"
    f"{_OK}</d:propstat></d:response>"
)
_ITEM = (
    "<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:resourcetype>{kind}</d:resourcetype>"
    "<oc:size>{size}</oc:size><oc:fileid>{number}</oc:fileid><nc:trashbin-filename>{name}</nc:trashbin-filename>"
    "<nc:trashbin-original-location>{location}</nc:trashbin-original-location>"
    f"<nc:trashbin-deletion-time>{{time}}</nc:trashbin-deletion-time></d:prop>{_OK}</d:propstat></d:response>"
)


def routes(tree: Tree, mounts: Mounts) -> list[Route]:
    """Return the routes of the trash and its items."""

    async def listing(request: Request) -> Response:
        user = account_of(request.scope).user
        root = f"{PATH}/{quote(user)}/trash"
        items = [_item(root, deleted, tree) for deleted in tree.deleted(user)]
        body = _MULTISTATUS.format(_FOLDER.format(root) + "".join(items))
        return Response(body, 207, media_type=MEDIA_TYPE)

    async def properties(request: Request) -> Response:
        user, name = account_of(request.scope).user, request.path_params["name"]
        for deleted in tree.deleted(user):
            if deleted.place.name == name:
                body = _MULTISTATUS.format(_item(f"{PATH}/{quote(user)}/trash", deleted, tree))
                return Response(body, 207, media_type=MEDIA_TYPE)
        return Response(error_body(404, ""), 404, media_type=MEDIA_TYPE)

    async def restore(request: Request) -> Response:
        user, name = account_of(request.scope).user, request.path_params["name"]
        for deleted in tree.deleted(user):
            if deleted.place.name == name:
                tree.restore(deleted, _free(mounts, user, deleted.location))
                return Response(status_code=201)
        return Response(error_body(404, ""), 404, media_type=MEDIA_TYPE)

    return [
        Route(PATH + "/{user}/trash", listing, methods=["PROPFIND"]),
        Route(PATH + "/{user}/trash/{name}", properties, methods=["PROPFIND"]),
        Route(PATH + "/{user}/trash/{name}", restore, methods=["MOVE"]),
    ]


def _item(root: str, deleted: Deleted, tree: Tree) -> str:
    is_folder = deleted.place.is_dir()
    return _ITEM.format(
        href=f"{root}/{quote(deleted.place.name)}{'/' * is_folder}",
        kind="<d:collection/>" * is_folder,
        size=size(deleted.place),
        number=tree.node(deleted.place).id,
        name=escape(Path(deleted.location).name),
        location=escape(deleted.location),
        time=deleted.time,
    )


def _free(mounts: Mounts, user: str, location: str) -> Path:
    """Return a free path to restore an item to: in the root if its folder is gone or nothing may be created there."""
    name = Path(location).name
    folder = mounts.find(user, str(Path(location).parent))
    if not folder.path.is_dir() or not folder.permissions & CREATE:
        folder = mounts.find(user, "")
    wanted = free = folder.path / name
    number = 1
    while free.exists():
        added = " (restored)" if number == 1 else f" (restored {number})"
        free = wanted.with_name(f"{wanted.stem}{added}{wanted.suffix}")
        number += 1
    return free
