"""Renders the posters of a server's clips, each once, one at a time so that a catalogue delays no viewer."""

import asyncio
import hashlib

from dynerf_format.version import __version__
from dynerf_player.library.interface import ClipVersion
from dynerf_player.session.render_pool import RenderPool, RenderRequest

from .poster import FRAME, encode_poster, poster_camera
from .poster_cache import PosterCache


class ServedPosters:
    """Posters of clip versions, from the cache or rendered in the pool."""

    def __init__(self, pool: RenderPool, cache: PosterCache) -> None:
        self._pool = pool
        self._cache = cache
        self._lock = asyncio.Lock()

    async def get(self, version: ClipVersion) -> bytes:
        """The poster as a JPEG file. Raises DynerfError when the clip cannot be rendered."""
        key = _key(version)
        async with self._lock:
            poster = await asyncio.to_thread(self._cache.get, key)
            if poster is None:
                poster = await self._render(version)
                await asyncio.to_thread(self._cache.put, key, poster)
            return poster

    async def _render(self, version: ClipVersion) -> bytes:
        await version.prepare(FRAME, 0)
        clip = await asyncio.to_thread(lambda: version.clip)
        rendered = await self._pool.render(version, RenderRequest(poster_camera(clip.cameras[0]), FRAME))
        return await asyncio.to_thread(encode_poster, rendered.pixels)


def _key(version: ClipVersion) -> str:
    """Another file or another version of the renderer gives another poster."""
    return hashlib.sha256(f"{__version__} {version.size} {version.etag}".encode()).hexdigest()
