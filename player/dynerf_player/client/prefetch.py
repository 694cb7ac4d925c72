"""Prefetches what the play head will need next, up to a limit of seconds and bytes.

One request at a time, each planned from the current position of the play head. Requests that a viewer waits
for run beside it (``fetcher.py`` runs several at once).
"""

import asyncio
from collections.abc import Sequence

from dynerf_format import ChangedError, Entry, Header, RemoteError

from .fetch_planner import chunks_ahead, next_span
from .fetcher import Fetcher

_LATENT_SECONDS = 10  # of latents
_MAX_BYTES = 512 << 10  # of one request
_RETRY_SECONDS = 2.0  # of pause after a failure


class ReadAhead:
    """Fetches ahead of a play head. Belongs to the fetcher's event loop."""

    def __init__(self, fetcher: Fetcher, directory: Sequence[Entry], header: Header) -> None:
        self._fetcher = fetcher
        self._directory = directory
        self._header = header
        self._frames = max(1, round(_LATENT_SECONDS * float(header.fps)))
        self._moved = asyncio.Event()
        self._frame = 0.0

    async def seek(self, frame: float) -> None:
        """Move the play head to a moment (in frames) of the clip."""
        self._frame = frame
        self._moved.set()

    async def run(self) -> None:
        """Prefetch until cancelled, or until the file was replaced."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            try:
                await self._fetch()
            except ChangedError:
                return  # the next read raises it
            except RemoteError:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _fetch(self) -> None:
        cache = self._fetcher.cache
        while True:
            entries = chunks_ahead(self._directory, self._header, self._frame, self._frames)
            span = next_span(entries, cache.missing, _MAX_BYTES, cache.limit // 2)
            if span is None:
                return
            await self._fetcher.ensure([span])
