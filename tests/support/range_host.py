"""A web host of files with or without ranges, ETag and CORS headers, as people use to publish."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
}
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass
class RangeHost:
    """Serves ``files`` (by path, "/a/b.js") and below ``folders`` (by prefix, "/web/").

    ``headers`` are sent with every response, ``etag`` with every file. Without ``ranges`` each response is
    the whole file. ``requests`` lists path and range of each request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    ranges: bool = True
    etag: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""

    def content(self, path: str) -> bytes | None:
        """The file at a path."""
        if path in self.files:
            return self.files[path]
        for prefix, folder in self.folders.items():
            file = folder / path.removeprefix(prefix)
            if path.startswith(prefix) and file.is_file():
                return file.read_bytes()
        return None


@contextmanager
def hosting(host: RangeHost) -> Iterator[RangeHost]:
    """Serve on a free port of this machine until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # the body does not wait for the headers' acknowledgement

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            host.requests.append((path, self.headers.get("Range")))
            content = host.content(path)
            match = _RANGE.fullmatch(self.headers.get("Range", "")) if host.ranges else None
            if content is None:
                self._send(404, b"", {})
            elif match is None:
                self._send(200, content, {})
            else:
                first, stop = int(match[1]), min(int(match[2]) + 1, len(content))
                content_range = {"Content-Range": f"bytes {first}-{stop - 1}/{len(content)}"}
                self._send(206, content[first:stop], content_range)

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            kind = _TYPES.get(PurePosixPath(urlsplit(self.path).path).suffix, "application/octet-stream")
            etag = {} if host.etag is None else {"ETag": host.etag}
            self.send_response(status)
            all_headers = {
                "Content-Type": kind,
                "Content-Length": str(len(body)),
                **etag,
                **({"Cache-Control": "max-age=3600"} if kind == "text/javascript" else {}),  # as hosts do
                **headers,
                **host.headers,
            }
            for name, value in all_headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: standard error stays empty."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    host.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
