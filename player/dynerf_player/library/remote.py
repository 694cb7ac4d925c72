"""Presents a clip at an address as a library of one clip, for ``dynerf play``.

The library checks at intervals whether the file at the address is still the same, and opens the new one when
it is not. The old version reads nothing more from the network, and is closed after its last user.
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
from dynerf_player.client.address import check_address
from dynerf_player.client.fetch_planner import chunk_span, frames_in, layers_in, needed
from dynerf_player.client.prefetch import ReadAhead
from dynerf_player.client.range_client import DEFAULT_RETRY_POLICY, RetryPolicy
from dynerf_player.client.source import HttpSource

from .interface import Buffer, NoSuchClipError, safe_name
from .lazy_clip import LazyClip
from .open_versions import OpenVersions

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .shared_clip import SharedClip

_CHECK_SECONDS = 5.0


class RemoteVersion:
    """One version of a clip at an address; see ``ClipVersion``."""

    def __init__(
        self, address: str, name: str, device: str, retry_policy: RetryPolicy = DEFAULT_RETRY_POLICY
    ) -> None:
        """Fetches the start of the file. RemoteError; FormatError when it is not a clip."""
        self.name = name
        self.source = HttpSource(address, retry_policy)
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
        self._read_ahead = ReadAhead(self.source.fetcher, self._reader.directory, self._reader.header)
        self.source.start(self._read_ahead.run())

    @property
    def clip(self) -> "SharedClip":
        """The clip, opened on the device at the first use."""
        return self._clip.get()

    def raw(self) -> Source:
        """The file at the address: reads fetch what is not in the cache."""
        return self.source

    def buffer(self) -> Buffer:
        """The bytes fetched, and the frames and layers still in the cache."""
        spans = self.source.cache.spans()
        segment = self._reader.header.segment_at(int(self._frame))
        return Buffer(
            fetched=self.source.stats().fetched,
            total=self.size,
            ranges=tuple(frames_in(self._reader.directory, spans)),
            layers=layers_in(self._reader.directory, segment, spans),
        )

    async def prepare(self, frame: float, layers: int) -> None:
        """Fetch what rendering a moment needs, then start to prefetch what follows."""
        await self.fetch(frame, max(1, layers))
        self._frame = frame
        self.source.start(self._read_ahead.seek(frame))

    async def fetch(self, frame: float, layers: int) -> None:
        """Fetch what rendering a moment with ``layers`` quality layers needs, and nothing else."""
        entries = needed(self._reader.directory, self._reader.header, frame, layers)
        missing = [span for span in map(chunk_span, entries) if self.source.cache.missing(span)]
        if missing:
            await asyncio.wrap_future(self.source.ensure(missing))

    def close(self) -> None:
        """End the prefetching, all connections and the clip's threads."""
        self.source.close()
        self._clip.close()


class RemoteLibrary:
    """The one clip at an address; see ``Library``. ``check_seconds`` is the interval between checks."""

    is_folder = False
    holds_files = False

    def __init__(
        self,
        address: str,
        device: str = "cpu",
        retry_policy: RetryPolicy = DEFAULT_RETRY_POLICY,
        check_seconds: float = _CHECK_SECONDS,
    ) -> None:
        """Opens the clip. RemoteError; FormatError when it is not a clip."""
        self._name = clip_name(check_address(address))
        self._open = partial(RemoteVersion, address, self._name, device, retry_policy)
        self._check_seconds = check_seconds
        self._versions = OpenVersions[RemoteVersion](max_idle=1)
        self._versions.adopt(self._name, self._open())
        self._check: Future[None] | None = None
        self._checked = time.monotonic()

    async def names(self) -> Sequence[str]:
        """The one name."""
        return (self._name,)

    @asynccontextmanager
    async def current(self, name: str) -> AsyncIterator[RemoteVersion]:
        """The newest version of the clip; see ``Library``."""
        if name != self._name:
            raise NoSuchClipError("there is no clip of this name")
        async with self._versions.use(name, self._is_current, self._open) as version:
            yield version

    async def close(self) -> None:
        """Close all connections."""
        await self._versions.close()

    def _is_current(self, version: RemoteVersion) -> bool:
        """False when a read or the last check found another file; starts the next check when it is due."""
        if version.source.changed:
            return False
        due = time.monotonic() - self._checked >= self._check_seconds
        if due and (self._check is None or self._check.done()):
            self._checked = time.monotonic()
            self._check = version.source.check()
        return True


def clip_name(address: str) -> str:
    """The name of the clip at an address in the player's own addresses."""
    return safe_name(PurePosixPath(unquote(urlsplit(address).path)).name.removesuffix(".dnv"))
