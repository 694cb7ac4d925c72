"""A clip at an address as a library of one clip: what ``dynerf play`` mounts into the server.

Each edition reads one version of the file. The library asks the server now and then whether it is still the
same; when it is not, it opens the new one. The old edition reads nothing more from the network, and is closed
after its last user.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from dynerf_format import Reader, Source
from dynerf_player.client.fetch_planner import chunk_span, frames_in, layers_in, needed
from dynerf_player.client.prefetch import ReadAhead
from dynerf_player.client.range_client import PATIENCE, RetryPolicy
from dynerf_player.client.source import HttpSource

from .interface import Buffer, NoSuchClipError
from .lazy_clip import LazyClip
from .open_versions import OpenVersions

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .shared_clip import SharedClip

_CHECK_SECONDS = 5.0
_MOST_NAME = 64


class RemoteVersion:
    """One version of a clip at an address; see ``library.Edition``."""

    def __init__(self, address: str, name: str, device: str, patience: RetryPolicy = PATIENCE) -> None:
        """Fetches the start of the file. RemoteError, or FormatError when it is no clip."""
        self.name = name
        self.source = HttpSource(address, patience)
        try:
            self._reader = Reader(self.source)
        except BaseException:
            self.source.close()
            raise
        self._clip = LazyClip(self._reader, device, name)
        # Head, header and directory hold the checksums of everything else.
        start = self.source.read(0, self._reader.directory[0].offset)
        self.etag = f'"{hashlib.sha256(start).hexdigest()}"'
        self.size = self.source.size
        self._frame = 0.0
        self._ahead = ReadAhead(self.source.fetcher, self._reader.directory, self._reader.header)
        self.source.start(self._ahead.run())

    @property
    def clip(self) -> "SharedClip":
        """The clip, opened on the device at the first use."""
        return self._clip.get()

    def raw(self) -> Source | None:
        """Not here."""
        return None

    def buffer(self) -> Buffer:
        """What was fetched, and what of it is still here."""
        spans = self.source.cache.spans()
        segment = self._reader.header.segment_at(int(self._frame))
        return Buffer(
            fetched=self.source.budget().fetched,
            total=self.size,
            ranges=tuple(frames_in(self._reader.directory, spans)),
            layers=layers_in(self._reader.directory, segment, spans),
        )

    async def prepare(self, frame: float, layers: int) -> None:
        """Fetch what a picture of a moment needs, then go on fetching what comes after it."""
        await self.fetch(frame, max(1, layers))
        self._frame = frame
        self.source.start(self._ahead.aim(frame))

    async def fetch(self, frame: float, layers: int) -> None:
        """Fetch what a picture of a moment needs, with so many quality layers, and nothing else."""
        entries = needed(self._reader.directory, self._reader.header, frame, layers)
        missing = [span for span in map(chunk_span, entries) if self.source.cache.missing(span)]
        if missing:
            await asyncio.wrap_future(self.source.ensure(missing))

    def close(self) -> None:
        """End the reading ahead, all connections and the clip's threads."""
        self.source.close()
        self._clip.close()


class RemoteLibrary:
    """The one clip at an address; see ``library.Library``. ``check_seconds`` lie between two looks."""

    is_folder = False

    def __init__(
        self,
        address: str,
        device: str = "cpu",
        patience: RetryPolicy = PATIENCE,
        check_seconds: float = _CHECK_SECONDS,
    ) -> None:
        """Opens the clip: RemoteError, or FormatError when there is none."""
        self._name = clip_name(address)
        self._open = partial(RemoteVersion, address, self._name, device, patience)
        self._check_seconds = check_seconds
        self._editions = OpenVersions[RemoteVersion](most_idle=1)
        self._editions.adopt(self._name, self._open())
        self._check: Future[None] | None = None
        self._checked = time.monotonic()

    async def names(self) -> Sequence[str]:
        """The one name."""
        return (self._name,)

    @asynccontextmanager
    async def edition(self, name: str) -> AsyncIterator[RemoteVersion]:
        """The newest edition of the clip; see ``library.Library``."""
        if name != self._name:
            raise NoSuchClipError("there is no clip of this name")
        async with self._editions.use(name, self._is_current, self._open) as edition:
            yield edition

    async def close(self) -> None:
        """Close all connections."""
        await self._editions.close()

    def _is_current(self, edition: RemoteVersion) -> bool:
        """False when a read or the last check found another file; begins the next check when it is due."""
        if edition.source.changed:
            return False
        due = time.monotonic() - self._checked >= self._check_seconds
        if due and (self._check is None or self._check.done()):
            self._checked = time.monotonic()
            self._check = edition.source.check()
        return True


def clip_name(address: str) -> str:
    """What the clip at an address is called in the player's own addresses."""
    last = PurePosixPath(unquote(urlsplit(address).path)).name.removesuffix(".dnv")
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in last)[:_MOST_NAME].strip(".") or "clip"
