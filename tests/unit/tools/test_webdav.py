"""`tools.webdav`: the tools for files, called as a client calls them."""

import base64

import pytest

from nextcloud_mcp.tools.webdav import MAX_READ
from tests.support.issuer import answer
from tests.support.nextcloud import FILES, dav_file, dav_folder, multistatus
from tests.support.server import Server, answered


async def test_lists_a_folder(server: Server) -> None:
    """Counts are of files and folders, and the total size is of the files alone."""
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
    """Of a thousand files a first page comes, small enough for a model; the counts are of all, the pages of each."""
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


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param("Grüße\n".encode(), "Grüße\n", id="UTF-8"),
        pytest.param(b"", "", id="empty"),
        pytest.param(b"\x89PNG\r\n", None, id="not UTF-8"),
        pytest.param(b"a\0b", None, id="NUL, which is UTF-8 and no text"),
    ],
)
async def test_reads_a_file(server: Server, content: bytes, text: str | None) -> None:
    """Text comes as text and anything else in base64, whatever type the file claims to have."""
    server.nextcloud.on(
        "PROPFIND", f"{FILES}/a", answer(207, content=multistatus(dav_file(f"{FILES}/a", size=len(content))))
    )
    server.nextcloud.on("GET", f"{FILES}/a", answer(content=content, headers={"OC-ETag": '"e"'}))
    result = await server.use("nc_webdav_read_file", {"path": "a"})
    assert (result["size"], result["etag"], result["content_type"]) == (len(content), "e", "text/plain")
    if text is None:
        assert result["encoding"] == "base64"
        assert base64.b64decode(result["content"]) == content
    else:
        assert (result["content"], result["encoding"]) == (text, None)


async def test_a_large_file_is_not_read(server: Server) -> None:
    """The caller is told the limit, and where the file can be opened."""
    content = multistatus(dav_file(f"{FILES}/a", size=MAX_READ + 1))
    server.nextcloud.on("PROPFIND", f"{FILES}/a", answer(207, content=content))
    assert f"at most {MAX_READ}" in await server.misuse("nc_webdav_read_file", {"path": "a"})


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
    """Text is sent in UTF-8; base64 is decoded when the type says so, and only then."""
    server.nextcloud.on("PUT", f"{FILES}/a", answer(201, headers={"OC-ETag": '"e"'}))
    arguments = {"path": "a", "content": content, "content_type": content_type}
    result = await server.use("nc_webdav_write_file", arguments)
    assert (result["status_code"], result["etag"], result["message"]) == (201, "e", "a is created.")
    request = server.nextcloud.requests[-1]
    assert (request.content, request.headers.get("Content-Type")) == (sent, header)


async def test_replaces_a_file_with_its_etag(server: Server) -> None:
    """What the caller read is what is replaced."""
    server.nextcloud.on("PUT", f"{FILES}/a", answer(204))
    result = await server.use("nc_webdav_write_file", {"path": "a", "content": "x", "etag": "e"})
    assert (result["status_code"], result["message"]) == (204, "a is replaced.")


async def test_overwrites_nothing_by_accident(server: Server) -> None:
    """Without an ETag an existing file stays, and the sentence has the ETag for a second try."""
    server.nextcloud.on("PUT", f"{FILES}/a", answer(412))
    server.nextcloud.on("PROPFIND", f"{FILES}/a", answer(207, content=multistatus(dav_file(f"{FILES}/a"))))
    sentence = await server.misuse("nc_webdav_write_file", {"path": "a", "content": "x"})
    assert "pass its present ETag 68a55c7c" in sentence


@pytest.mark.parametrize("content", ["***", "abc", "ä", "iVBO/w==\n"])
async def test_what_is_not_base64_is_refused(server: Server, content: str) -> None:
    """Nothing is guessed, and nothing written."""
    arguments = {"path": "a", "content": content, "content_type": "image/png;base64"}
    assert "content is not base64" in await server.misuse("nc_webdav_write_file", arguments)
    assert server.nextcloud.asked() == []


@pytest.mark.parametrize(
    ("tool", "method", "status", "message"),
    [
        ("nc_webdav_create_directory", "MKCOL", 201, "a is created."),
        ("nc_webdav_create_directory", "MKCOL", 405, "a existed already."),
        ("nc_webdav_delete_resource", "DELETE", 204, "a is deleted."),
        ("nc_webdav_delete_resource", "DELETE", 404, "There was no a."),
    ],
)
async def test_a_change_is_told_in_number_and_words(
    server: Server, tool: str, method: str, status: int, message: str
) -> None:
    """What was there already, or was not there, is no error: the status tells, and so do the words."""
    server.nextcloud.on(method, f"{FILES}/a", answer(status))
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
    """The destination is a path of the same person; nothing is overwritten unless that is asked for."""
    server.nextcloud.on(method, f"{FILES}/a", answer(201))
    arguments = {"source_path": "a", "destination_path": "b/c"}
    result = await server.use(tool, arguments if overwrite is None else arguments | {"overwrite": overwrite})
    assert (result["status_code"], result["message"]) == (201, message)
    assert server.nextcloud.requests[-1].headers["Overwrite"] == flag
