"""Keeps fetching what the play head will need next, until so much is here that it may rest.

One request after the other, each planned anew from where the play head is by then; what a viewer waits for
goes past it (``fetcher.py`` runs several at once).
"""

import asyncio
from collections.abc import Sequence

from dynerf_format import ChangedError, Entry, Header, RemoteError

from .fetch_planner import ahead, next_span
from .fetcher import Fetcher

_SECONDS = 10  # of latents
_MOST_BYTES = 512 << 10  # of one request
_PAUSE = 2.0  # seconds, after a failure


class ReadAhead:
    """Fetches ahead of a play head. Belongs to the fetcher's event loop."""

    def __init__(self, fetcher: Fetcher, directory: Sequence[Entry], header: Header) -> None:
        self._fetcher = fetcher
        self._directory = directory
        self._header = header
        self._frames = max(1, round(_SECONDS * float(header.fps)))
        self._aimed = asyncio.Event()
        self._frame = 0.0

    async def aim(self, frame: float) -> None:
        """Say that the play head is at a moment (in frames) of the clip."""
        self._frame = frame
        self._aimed.set()

    async def run(self) -> None:
        """Work until cancelled, or until the file was replaced."""
        while True:
            await self._aimed.wait()
            self._aimed.clear()
            try:
                await self._fetch()
            except ChangedError:
                return  # whoever reads next is told
            except RemoteError:
                await asyncio.sleep(_PAUSE)

    async def _fetch(self) -> None:
        cache = self._fetcher.cache
        while True:
            wanted = ahead(self._directory, self._header, self._frame, self._frames)
            span = next_span(wanted, cache.missing, _MOST_BYTES, cache.limit // 2)
            if span is None:
                return
            await self._fetcher.ensure([span])
