"""`apps.files.tools.files`: the tools for files, called through MCP."""

import base64
import json

import httpx
import pytest

from nextcloud_mcp.apps.files.tools.files import MAX_PIECE, MAX_RESOURCE, PIECE
from tests.support.issuer import answer
from tests.support.nextcloud import FILES, dav_file, dav_folder, multistatus
from tests.support.server import Server, answered


async def test_lists_a_folder_with_totals(server: Server) -> None:
    """The result counts files and folders; the total size is that of the files."""
    content = multistatus(
        dav_folder(f"{FILES}/"),
        dav_folder(f"{FILES}/d/", size=1000),
        dav_file(f"{FILES}/a", size=3),
        dav_file(f"{FILES}/b", size=4),
    )
    server.nextcloud.on("PROPFIND", FILES, answer(207, content=content))
    result = await server.use("nc_webdav_list_directory")
    assert result["path"] == ""
    assert [file["path"] for file in result["files"]] == ["/d", "/a", "/b"]
    assert (result["total_count"], result["directories_count"], result["files_count"]) == (3, 1, 2)
    assert result["total_size"] == 7


async def test_lists_a_large_folder_in_pages(server: Server) -> None:
    """A folder with a thousand files comes in small pages; the counts are those of the whole folder."""
    files = [dav_file(f"{FILES}/report-{number:04}.md", size=1) for number in reversed(range(1000))]
    content = multistatus(dav_folder(f"{FILES}/"), *files, dav_folder(f"{FILES}/sub/"))
    server.nextcloud.on("PROPFIND", FILES, answer(207, content=content))
    token = server.keycloak.mint(scope="files:read")
    response = await server.call("nc_webdav_list_directory", token=token)
    assert len(response.content) < 100_000
    first = answered(response)["result"]["structuredContent"]
    assert (first["total_count"], first["files_count"], first["total_size"]) == (1001, 1000, 1000)

    arguments = {"limit": 600, "cursor": first["next_cursor"]}
    second = await server.use("nc_webdav_list_directory", arguments)
    third = await server.use("nc_webdav_list_directory", arguments | {"cursor": second["next_cursor"]})
    names = [file["name"] for result in (first, second, third) for file in result["files"]]
    assert names == ["sub", *(f"report-{number:04}.md" for number in range(1000))]
    assert third["next_cursor"] is None


def keeps(server: Server, content: bytes, *, content_type: str = "text/plain") -> None:
    """Let there be a file `a`, of which ranges can be read."""

    def answered_to(request: httpx.Request) -> httpx.Response:
        asked = request.headers.get("Range")
        if asked is None:
            return httpx.Response(200, content=content, headers={"OC-ETag": '"e"'})
        first, last = asked.removeprefix("bytes=").split("-")
        return httpx.Response(206, content=content[int(first) : int(last) + 1], headers={"OC-ETag": '"e"'})

    file = dav_file(f"{FILES}/a", size=len(content), content_type=content_type)
    server.nextcloud.on("PROPFIND", f"{FILES}/a", answer(207, content=multistatus(file)))
    server.nextcloud.on("GET", f"{FILES}/a", answered_to)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("Grüße\n".encode(), "Grüße\n", id="UTF-8"),
        pytest.param(b"", "", id="empty"),
        pytest.param(b"\x89PNG\r\n", None, id="not UTF-8"),
        pytest.param(b"a\0b", None, id="NUL, which is UTF-8 and no text"),
        pytest.param("ü".encode()[:1], None, id="half a character"),
    ],
)
async def test_reads_a_file(server: Server, content: bytes, text: str | None) -> None:
    """Text is returned as text, everything else as base64, whatever the media type is."""
    keeps(server, content)
    result = await server.use("nc_webdav_read_file", {"path": "a"})
    assert (result["size"], result["content_type"], result["next_offset"]) == (len(content), "text/plain", None)
    assert result["etag"] == ("e" if content else "68a55c7c")
    if text is None:
        assert result["encoding"] == "base64"
        assert base64.b64decode(result["content"]) == content
    else:
        assert (result["content"], result["encoding"]) == (text, None)


async def test_long_text_is_read_in_parts(server: Server) -> None:
    """A part ends between two characters, and has no ETag that would allow replacing the whole file."""
    text = "ü" * PIECE
    keeps(server, b"x" + text.encode())
    pieces, offset = [], 0
    while offset is not None:
        result = await server.use("nc_webdav_read_file", {"path": "a", "offset": offset})
        assert len(result["content"].encode()) <= PIECE
        assert (result["offset"], result["etag"], result["encoding"]) == (offset, None, None)
        pieces.append(result["content"])
        offset = result["next_offset"]
    assert "".join(pieces) == "x" + text
    assert len(pieces) == 3


@pytest.mark.parametrize(
    ("arguments", "piece"),
    [({"length": 4}, b"\x89PNG"), ({"offset": 4, "length": 2}, b"\xff\xff"), ({"offset": PIECE}, b"\xff" * 4)],
    ids=["by length", "by both", "by offset"],
)
async def test_binary_part_is_base64(server: Server, arguments: dict[str, int], piece: bytes) -> None:
    """A byte range is returned as base64."""
    keeps(server, b"\x89PNG" + b"\xff" * PIECE)
    result = await server.use("nc_webdav_read_file", {"path": "a"} | arguments)
    assert (base64.b64decode(result["content"]), result["encoding"], result["etag"]) == (piece, "base64", None)
    assert result["size"] == PIECE + 4


async def test_large_binary_file_is_a_resource_link(server: Server) -> None:
    """A resource link replaces a megabyte of base64; the client can read the bytes from it."""
    content = b"\x89PNG" + b"\xff" * 1024 * 1024
    keeps(server, content, content_type="image/png")
    token = server.keycloak.mint(scope="files:read")
    response = await server.call("nc_webdav_read_file", {"path": "/a"}, token=token)
    assert len(response.content) < 2000
    result = answered(response)["result"]
    assert result["structuredContent"]["content"] == ""
    assert result["structuredContent"]["resource"] == "nc://Files/a"
    assert result["structuredContent"]["etag"] is None
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    link = result["content"][1]
    assert (link["type"], link["uri"], link["name"]) == ("resource_link", "nc://Files/a", "a")
    assert (link["mimeType"], link["size"]) == ("image/png", len(content))

    read = await server.request("resources/read", {"uri": link["uri"]}, token=token)
    (resource,) = answered(read)["result"]["contents"]
    assert (base64.b64decode(resource["blob"]), resource["mimeType"]) == (content, "image/png")


async def test_text_file_is_a_text_resource(server: Server) -> None:
    """The content is text; the name in the URI is percent-encoded."""
    href = f"{FILES}/a%20b/100%25.md"
    server.nextcloud.on(
        "PROPFIND", href, answer(207, content=multistatus(dav_file(href, content_type="text/markdown")))
    )
    server.nextcloud.on("GET", href, answer(content=b"# One\n"))
    token = server.keycloak.mint(scope="files:read")
    response = await server.request("resources/read", {"uri": "nc://Files/a%20b/100%25.md"}, token=token)
    (resource,) = answered(response)["result"]["contents"]
    assert (resource["text"], resource["mimeType"]) == ("# One\n", "text/markdown")


async def test_resource_size_is_limited(server: Server) -> None:
    """A larger file is not fetched, since the whole resource is held in memory."""
    file = dav_file(f"{FILES}/a", size=MAX_RESOURCE + 1)
    server.nextcloud.on("PROPFIND", f"{FILES}/a", answer(207, content=multistatus(file)))
    token = server.keycloak.mint(scope="files:read")
    response = await server.request("resources/read", {"uri": "nc://Files/a"}, token=token)
    assert "read it in pieces" in answered(response)["error"]["message"]
    assert server.nextcloud.asked("GET") == []


@pytest.mark.parametrize(
    ("typed", "proposed"), [("", ["Dir/", "a"]), ("d", ["Dir/"]), ("x", [])], ids=["nothing", "a letter", "no such"]
)
async def test_paths_are_completed(server: Server, typed: str, proposed: list[str]) -> None:
    """The file URI is completed folder by folder."""
    content = multistatus(dav_folder(f"{FILES}/"), dav_file(f"{FILES}/a"), dav_folder(f"{FILES}/Dir/"))
    server.nextcloud.on("PROPFIND", FILES, answer(207, content=content))
    params = {
        "ref": {"type": "ref/resource", "uri": "nc://Files/{+path}"},
        "argument": {"name": "path", "value": typed},
    }
    response = await server.request("completion/complete", params, token=server.keycloak.mint(scope="files:read"))
    assert answered(response)["result"]["completion"]["values"] == proposed


@pytest.mark.parametrize("length", [0, -1, MAX_PIECE + 1])
async def test_length_out_of_range_is_named(server: Server, length: int) -> None:
    """Nothing is read."""
    arguments = {"path": "a", "length": length}
    assert f"Invalid length {length}: pass a number of bytes from 1 to {MAX_PIECE}" in await server.misuse(
        "nc_webdav_read_file", arguments
    )
    assert server.nextcloud.asked() == []


@pytest.mark.parametrize(
    ("content", "content_type", "sent", "header"),
    [
        pytest.param("Grüße", None, "Grüße".encode(), None, id="text"),
        pytest.param("x", "text/markdown", b"x", "text/markdown", id="text with a type"),
        pytest.param("iVBO/w==", "image/png;base64", b"\x89PN\xff", "image/png", id="base64"),
        pytest.param("iVBO/w==", "image/png; BASE64", b"\x89PN\xff", "image/png", id="base64, another way of writing"),
        pytest.param("iVBO/w==", "base64", b"\x89PN\xff", None, id="base64 of no type"),
        pytest.param("x", "text/plain; charset=utf-8", b"x", "text/plain; charset=utf-8", id="another parameter"),
        pytest.param("x", "text/plain;", b"x", "text/plain", id="a semicolon too many"),
        pytest.param("", "x/y;base64", b"", "x/y", id="nothing, in base64"),
        pytest.param("base64", "text/plain", b"base64", "text/plain", id="the word is content"),
    ],
)
async def test_writes_a_file(
    server: Server, content: str, content_type: str | None, sent: bytes, header: str | None
) -> None:
    """Text is sent in UTF-8; base64 is decoded only if the content type says so."""
    server.nextcloud.on("PUT", f"{FILES}/a", answer(201, headers={"OC-ETag": '"e"'}))
    arguments = {"path": "a", "content": content, "content_type": content_type}
    result = await server.use("nc_webdav_write_file", arguments)
    assert (result["status_code"], result["etag"], result["message"]) == (201, "e", "a is created.")
    request = server.nextcloud.requests[-1]
    assert (request.content, request.headers.get("Content-Type")) == (sent, header)


async def test_replaces_a_file_with_its_etag(server: Server) -> None:
    """The ETag replaces the version that the caller read."""
    server.nextcloud.on("PUT", f"{FILES}/a", answer(204))
    result = await server.use("nc_webdav_write_file", {"path": "a", "content": "x", "etag": "e"})
    assert (result["status_code"], result["message"]) == (204, "a is replaced.")


async def test_existing_file_requires_etag(server: Server) -> None:
    """Without an ETag an existing file stays; reading it returns the ETag."""
    server.nextcloud.on("PUT", f"{FILES}/a", answer(412))
    server.nextcloud.on("PROPFIND", f"{FILES}/a", answer(207, content=multistatus(dav_file(f"{FILES}/a"))))
    sentence = await server.misuse("nc_webdav_write_file", {"path": "a", "content": "x"})
    assert "read it and pass the ETag from reading" in sentence
    assert "68a55c7c" not in sentence


@pytest.mark.parametrize("content", ["***", "abc", "ä", "iVBO/w==\n"])
async def test_invalid_base64_is_refused(server: Server, content: str) -> None:
    """Nothing is guessed or written."""
    arguments = {"path": "a", "content": content, "content_type": "image/png;base64"}
    assert await server.misuse("nc_webdav_write_file", arguments) == (
        "content is not base64: encode it, or if it is text, leave ';base64' out of content_type."
    )
    assert server.nextcloud.asked() == []


@pytest.mark.parametrize(
    ("tool", "method", "status", "message"),
    [
        ("nc_webdav_create_directory", "MKCOL", 201, "a is created."),
        ("nc_webdav_create_directory", "MKCOL", 405, "a existed already."),
        ("nc_webdav_delete_resource", "DELETE", 204, "a is deleted."),
    ],
)
async def test_result_has_status_and_message(server: Server, tool: str, method: str, status: int, message: str) -> None:
    """An existing folder is no error: status code and message both say so."""
    server.nextcloud.on(method, f"{FILES}/a", answer(status))
    server.nextcloud.on("PROPFIND", f"{FILES}/a", answer(207, content=multistatus(dav_folder(f"{FILES}/a/"))))
    result = await server.use(tool, {"path": "a"})
    assert (result["status_code"], result["message"], result["success"]) == (status, message, True)


@pytest.mark.parametrize(
    ("tool", "method", "message"),
    [("nc_webdav_move_resource", "MOVE", "a is now b/c."), ("nc_webdav_copy_resource", "COPY", "a is copied to b/c.")],
)
@pytest.mark.parametrize(("overwrite", "flag"), [(None, "F"), (False, "F"), (True, "T")], ids=["default", "no", "yes"])
async def test_moves_and_copies(
    server: Server, tool: str, method: str, message: str, flag: str, *, overwrite: bool | None
) -> None:
    """The destination is a path of the same user and is overwritten only on request."""
    server.nextcloud.on(method, f"{FILES}/a", answer(201))
    server.nextcloud.on("PROPFIND", f"{FILES}/b/c", answer(207, content=multistatus(dav_file(f"{FILES}/b/c"))))
    arguments = {"source_path": "a", "destination_path": "b/c"}
    result = await server.use(tool, arguments if overwrite is None else arguments | {"overwrite": overwrite})
    assert (result["status_code"], result["message"]) == (201, message)
    assert server.nextcloud.requests[-1].headers["Overwrite"] == flag


@pytest.mark.parametrize("content_type", ["t\u00e9xt/plain", "text", "text/plain; charset", "a b/c", "/;base64"])
async def test_invalid_content_type_is_refused(server: Server, content_type: str) -> None:
    """The error names the argument and the valid form."""
    said = await server.misuse("nc_webdav_write_file", {"path": "a", "content": "", "content_type": content_type})
    right = "pass a media type such as text/plain, or for base64 image/png;base64."
    assert said == f"Invalid content_type {content_type!r}: {right}"
    assert server.nextcloud.asked() == []


@pytest.mark.parametrize(
    "content_type",
    ["text/plain; charset=utf-8", 'text/markdown;variant="GFM"', "application/vnd.oasis.opendocument+xml"],
)
async def test_content_type_parameters_are_kept(server: Server, content_type: str) -> None:
    """The parameters are passed on to Nextcloud."""
    server.nextcloud.on("PUT", f"{FILES}/a", answer(201, headers={"ETag": '"e1"'}))
    await server.use("nc_webdav_write_file", {"path": "a", "content": "", "content_type": content_type})
    sent = server.nextcloud.requests[-1].headers["Content-Type"]
    assert sent.replace(" ", "") == content_type.replace(" ", "")
