"""Serves the page's files from the package: looked up by name, never by path."""

import asyncio
import hashlib
from pathlib import Path

from aiohttp import web

_FOLDER = Path(__file__).parents[1] / "web"
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain",
}


async def asset_response(request: web.Request, name: str) -> web.Response:
    """Respond with a file of ``web/``. Raises 404."""
    path, body = await asyncio.to_thread(_read, name)
    etag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{etag}"', "Cache-Control": "no-cache"}
    if f'"{etag}"' in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=_TYPES[path.suffix], charset="utf-8", headers=headers)


def _read(name: str) -> tuple[Path, bytes]:
    """A file's path and content. Raises 404."""
    files = {path.relative_to(_FOLDER).as_posix(): path for path in _FOLDER.rglob("*") if path.is_file()}
    path = files.get(name)
    if path is None or path.suffix not in _TYPES:
        raise web.HTTPNotFound(text="There is no such page.")
    return path, path.read_bytes()
