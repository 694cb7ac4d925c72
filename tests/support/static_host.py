"""A plain static host in a thread: the page's modules, and files that a test adds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dynerf_player.pages.assets import WEB
from support.fake_server import POLICY

_TYPES = {".js": "text/javascript", "": "text/html"}
_PAGE = b"<!doctype html><link rel=icon href=data:,><canvas id=canvas></canvas>"


@dataclass
class StaticHost:
    """``files`` by path, with leading slash; ``requests`` are the paths that were requested."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: {"/": _PAGE})
    requests: list[str] = field(default_factory=list)

    def add(self, folder: Path, prefix: str) -> None:
        """Serve the scripts of a folder."""
        for path in folder.rglob("*.js"):
            self.files[f"{prefix}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()


@contextmanager
def static_host() -> Iterator[StaticHost]:
    """The modules under ``/web``, an empty page at ``/``, with the policy of the player's server."""
    host = StaticHost()
    host.add(WEB, "/web")

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # the body does not wait for the headers' acknowledgement

        def do_GET(self) -> None:
            host.requests.append(self.path)
            body = host.files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", _TYPES.get(Path(self.path).suffix, "application/octet-stream"))
            self.send_header("Content-Length", str(len(body or b"")))
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        host.address = f"http://127.0.0.1:{server.server_port}"
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
