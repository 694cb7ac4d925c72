"""A file or a folder of .dnv files as a library.

A name that a client sends is looked up among the names that the folder holds and never becomes part of a
path, so no spelling of ``..`` leads anywhere. Links are followed only as far as they stay within the folder.
A file that was replaced or rewritten is another edition: the old one keeps reading its own bytes, or fails.
"""

import os
import stat
import weakref
from asyncio import to_thread
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf_format.container.reader import Reader
from dynerf_format.container.source import check_range
from dynerf_format.errors import FormatError, TruncatedError
from dynerf_format.layout import TRAILER

from .interface import Buffer, NoSuchClipError
from .lazy_clip import LazyClip
from .open_versions import OpenVersions

if TYPE_CHECKING:
    from .shared_clip import SharedClip

_SUFFIX = ".dnv"
_MOST_IDLE = 16  # editions kept open without users


@dataclass(frozen=True)
class _Mark:
    """What tells a version of a file from others without reading it."""

    device: int
    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> "_Mark":
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class PinnedFile:
    """A file as it was when opened: reads fail once it is rewritten in place, and outlive its replacement.

    A ``Source`` whose ``name`` is fit for strangers: no path. Reads may come from several threads. Closes
    itself when nobody holds it any more.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        try:
            # Not blocking: opening a named pipe would wait for its other end.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise NoSuchClipError(f"{name}: cannot be opened") from error
        weakref.finalize(self, os.close, descriptor)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NoSuchClipError(f"{name}: is not a regular file")
        self._descriptor = descriptor
        self.mark = _Mark.of(status)
        self.size = self.mark.size

    def read(self, offset: int, length: int) -> bytes:
        """The ``length`` bytes from ``offset`` on; FormatError when they are no longer what they were."""
        check_range(self, offset, length)
        try:
            data = os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise FormatError(f"{self.name}: cannot be read: {error.strerror}") from error
        if _Mark.of(os.fstat(self._descriptor)) != self.mark:
            raise FormatError(f"{self.name}: was rewritten while it was read")
        if len(data) != length:
            raise TruncatedError(f"{self.name}: got {len(data)} of {length} bytes")
        return data


class FileVersion:
    """One version of a file; see ``library.Edition``."""

    def __init__(self, path: Path, name: str, device: str) -> None:
        """Raises FormatError when the file cannot be read as a clip."""
        self.name = name
        self._source = PinnedFile(path, name)
        self._reader = Reader(self._source)
        self._clip = LazyClip(self._reader, device, name)
        digest = TRAILER.unpack(self._source.read(self._source.size - TRAILER.size, TRAILER.size))[1]
        self.etag = f'"{digest.hex()}"'
        self.size = self._source.size
        self.mark = self._source.mark

    @property
    def clip(self) -> "SharedClip":
        """The clip, opened on the device at the first use."""
        return self._clip.get()

    def raw(self) -> PinnedFile:
        """The bytes of the file."""
        return self._source

    def buffer(self) -> Buffer:
        """All of it."""
        layers = 1 + max(entry.layer for entry in self._reader.directory)
        return Buffer(self.size, self.size, ((0, self._reader.header.frames - 1),), layers)

    async def prepare(self, frame: float, layers: int) -> None:
        """At once: everything is here."""

    def close(self) -> None:
        """End the clip's threads, if it was opened."""
        self._clip.close()


class FileLibrary:
    """The clips of one file or of one folder; see ``library.Library``."""

    def __init__(self, place: Path, device: str = "cpu") -> None:
        """Raises FormatError when there is neither a .dnv file nor a folder."""
        self._given = place
        self._place = place.resolve()
        self._device = device
        self.is_folder = self._place.is_dir()
        self._editions = OpenVersions[FileVersion](_MOST_IDLE)
        if not self.is_folder and not self._place.is_file():
            raise FormatError(f"{place}: no such file or folder")
        if not self.is_folder:
            FileVersion(self._place, str(place), device)  # checked now, and named by its path only here

    @property
    def _own_name(self) -> str:
        return self._given.name.removesuffix(_SUFFIX)

    async def names(self) -> Sequence[str]:
        """The names of all clips, sorted; files that are no clips may be among them."""
        return sorted(await to_thread(self._paths))

    @asynccontextmanager
    async def edition(self, name: str) -> AsyncIterator[FileVersion]:
        """The newest edition of a clip; see ``library.Library``."""
        path, mark = await to_thread(self._find, name)
        opening = partial(FileVersion, path, name, self._device)
        async with self._editions.use(name, lambda edition: edition.mark == mark, opening) as edition:
            yield edition

    async def close(self) -> None:
        """Close all editions."""
        await self._editions.close()

    def _find(self, name: str) -> tuple[Path, _Mark | None]:
        """The file of a clip, and which version of it is there. Raises NoSuchClipError."""
        path = self._paths().get(name)
        if path is None:
            raise NoSuchClipError("there is no clip of this name")
        return path, _mark(path)

    def _paths(self) -> dict[str, Path]:
        if not self.is_folder:
            return {self._own_name: self._place} if self._place.exists() else {}
        try:
            found = [entry for entry in os.scandir(self._place) if entry.name.endswith(_SUFFIX)]
        except OSError:
            return {}
        return {
            entry.name.removesuffix(_SUFFIX): Path(entry.path)
            for entry in found
            if not entry.is_symlink() or Path(entry.path).resolve().is_relative_to(self._place)
        }


def _mark(path: Path) -> _Mark | None:
    try:
        return _Mark.of(path.stat())
    except OSError:
        return None
