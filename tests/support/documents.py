"""Client ID Metadata Documents of real clients, served over TLS on loopback.

A client id is the `https` URL of its document. Except for their URLs, the documents are those that Claude Code, Claude
Desktop and VS Code publish, and that Keycloak has to accept.
"""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

from stack.process import LOOPBACK
from tests.support.certificates import self_signed

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

_PUBLIC = {
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
}

CLAUDE_CODE = _PUBLIC | {
    "client_name": "Claude Code",
    "client_uri": "https://claude.ai",
    "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
}
"""https://claude.ai/oauth/claude-code-client-metadata"""

CLAUDE_DESKTOP = _PUBLIC | {
    "client_name": "Claude",
    "client_uri": "https://claude.ai/",
    "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
    "grant_types": ["authorization_code", "refresh_token", JWT_BEARER],
}
"""https://claude.ai/oauth/mcp-oauth-client-metadata"""

VS_CODE = _PUBLIC | {
    "client_name": "Visual Studio Code",
    "client_uri": "https://vscode.dev/product",
    "logo_uri": "https://code.visualstudio.com/assets/images/code-stable.png",
    "redirect_uris": ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
    "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    "application_type": "native",
}
"""https://vscode.dev/oauth/client-metadata.json"""


@dataclass
class Documents:
    """A running server of documents.

    Attributes:
        origin: its origin, `https://localhost:PORT`.
        certificate: the file of its self-signed certificate (PEM).
        fetched: the requested paths, in order.
    """

    origin: str
    certificate: Path
    fetched: list[str] = field(default_factory=list)
    _published: dict[str, bytes] = field(default_factory=dict)

    def publish(self, document: dict[str, Any]) -> str:
        """Serve a document and return its URL, which is also its `client_id` unless `document` has another."""
        path = f"/oauth/{uuid4().hex}"
        self._published[path] = json.dumps({"client_id": f"{self.origin}{path}"} | document).encode()
        return f"{self.origin}{path}"

    def publish_text(self, text: str) -> str:
        """Serve a text instead of a document, and return its URL."""
        path = f"/oauth/{uuid4().hex}"
        self._published[path] = text.encode()
        return f"{self.origin}{path}"

    def at(self, path: str) -> bytes | None:
        """Return the content at a path, or None, and record the request."""
        self.fetched.append(path)
        return self._published.get(path)


@contextmanager
def run_documents(folder: Path) -> Iterator[Documents]:
    """Serve documents for as long as the block lasts; the certificate and its key go into `folder`."""
    certificate, key = self_signed(folder, name="documents")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer((LOOPBACK, 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        documents = _Handler.documents = Documents(f"https://localhost:{server.server_port}", certificate)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield documents
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    documents: Documents

    def do_GET(self) -> None:
        """Return the document at the path, or 404."""
        document = self.documents.at(self.path)
        self.send_response(200 if document else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(document or b"{}")

    def log_message(self, *_: Any) -> None:
        """Log nothing."""
