"""Sends pages and the files that they load, with an entity tag."""

import asyncio
import hashlib

from aiohttp import web

from dynerf_player.pages.assets import MEDIA_TYPES, assets


async def asset_response(request: web.Request, name: str) -> web.Response:
    """Respond with a file of ``web/``. Raises 404."""
    path = (await asyncio.to_thread(assets)).get(name)
    if path is None:
        raise web.HTTPNotFound(text="There is no such page.")
    return _response(request, await asyncio.to_thread(path.read_bytes), MEDIA_TYPES[path.suffix])


def page_response(request: web.Request, html: str) -> web.Response:
    """Respond with a page."""
    return _response(request, html.encode(), "text/html")


def _response(request: web.Request, body: bytes, media_type: str) -> web.Response:
    etag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{etag}"', "Cache-Control": "no-cache"}
    if f'"{etag}"' in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=media_type, charset="utf-8", headers=headers)
