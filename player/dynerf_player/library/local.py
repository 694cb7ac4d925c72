"""Presents a .dnv file, or a folder of them, as a library.

A name sent by a client is looked up among the files of the folder and never becomes part of a path, so ``..``
cannot leave the folder. Symbolic links are followed only within the folder. A file that was replaced or
rewritten is another version, unless its digest is the same: the old one keeps reading its own bytes, or
fails. Hidden files and names that are not UTF-8 are left out.
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
from dynerf_format.errors import DynerfError, FormatError, TruncatedError, reason
from dynerf_format.layout import TRAILER

from .interface import Buffer, NoSuchClipError, safe_name
from .lazy_clip import LazyClip
from .open_versions import OpenVersions

if TYPE_CHECKING:
    from .shared_clip import SharedClip

_SUFFIX = ".dnv"
_MAX_IDLE = 16  # versions kept open without users


@dataclass(frozen=True)
class _FileState:
    """Identifies a version of a file without reading it."""

    device: int
    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> "_FileState":
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class _OpenFile:
    """An open file and its state. The descriptor is closed with the last reference."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        # O_NONBLOCK: opening a named pipe would wait for a writer.
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self.descriptor)
        status = os.fstat(self.descriptor)
        self.is_regular = stat.S_ISREG(status.st_mode)
        self.state = _FileState.of(status)


class PinnedFile:
    """A file as it was when opened: reads fail once it is rewritten, and still work once it is replaced.

    A ``Source`` whose ``name`` holds no path. Reads may come from several threads.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        try:
            self._file = _OpenFile(path)
        except OSError as error:
            raise NoSuchClipError(f"{name}: cannot be opened: {reason(error)}") from error
        if not self._file.is_regular:
            raise NoSuchClipError(f"{name}: is not a regular file")
        self.size = self.state.size

    @property
    def state(self) -> _FileState:
        """The file's state when it was opened."""
        return self._file.state

    def replace(self, same: "PinnedFile") -> None:
        """Read from another file of the same bytes from now on."""
        self._file = same._file

    def read(self, offset: int, length: int) -> bytes:
        """The ``length`` bytes from ``offset`` on; FormatError once the file was rewritten."""
        check_range(self, offset, length)
        file = self._file  # stays open while it is read, even if it is replaced
        try:
            data = os.pread(file.descriptor, length, offset)
        except OSError as error:
            raise FormatError(f"{self.name}: cannot be read: {error.strerror}") from error
        if _FileState.of(os.fstat(file.descriptor)) != file.state:
            raise FormatError(f"{self.name}: was rewritten while it was read")
        if len(data) != length:
            raise TruncatedError(f"{self.name}: got {len(data)} of {length} bytes")
        return data


class FileVersion:
    """One version of a file; see ``ClipVersion``."""

    def __init__(self, path: Path, name: str, device: str) -> None:
        """Raises FormatError when the file cannot be read as a clip."""
        self.name = name
        self._source = PinnedFile(path, name)
        self._reader = Reader(self._source)
        self._clip = LazyClip(self._reader, device, name)
        self._device = device
        digest = TRAILER.unpack(self._source.read(self._source.size - TRAILER.size, TRAILER.size))[1]
        self.etag = f'"{digest.hex()}"'
        self.size = self._source.size

    @property
    def clip(self) -> "SharedClip":
        """The clip, opened on the device at the first use."""
        return self._clip.get()

    def raw(self) -> PinnedFile:
        """The bytes of the file."""
        return self._source

    def buffer(self) -> Buffer:
        """All of the file."""
        layers = 1 + max(entry.layer for entry in self._reader.directory)
        return Buffer(self.size, self.size, ((0, self._reader.header.frames - 1),), layers)

    async def prepare(self, frame: float, layers: int) -> None:
        """Nothing to do: the file is on this machine."""

    def is_at(self, path: Path) -> bool:
        """Whether the file at a path is this version: unchanged, or touched or replaced with the same digest.

        Reads come from that file from now on.
        """
        if _state_of(path) == self._source.state:
            return True
        try:
            found = FileVersion(path, self.name, self._device)
        except DynerfError:
            return False
        if (found.etag, found.size) != (self.etag, self.size):
            return False
        self._source.replace(found.raw())
        return True

    def close(self) -> None:
        """End the clip's threads, if it was opened."""
        self._clip.close()


class FileLibrary:
    """The clips of one file or of one folder; see ``Library``."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        """Raises FormatError when the path is neither a .dnv file nor a folder."""
        self._path = path
        self._resolved = path.resolve()
        self._device = device
        self.is_folder = self._resolved.is_dir()
        self.holds_files = True
        self._versions = OpenVersions[FileVersion](_MAX_IDLE)
        if not self.is_folder and not self._resolved.is_file():
            raise FormatError(f"{path}: no such file or folder")
        if self.is_folder:
            try:
                self._entries()
            except OSError as error:
                raise FormatError(f"{path}: cannot be read: {reason(error)}") from error
        else:
            FileVersion(self._resolved, str(path), device)  # a check; only this error names the path

    @property
    def _own_name(self) -> str:
        name = self._path.name.removesuffix(_SUFFIX)
        return name if _fits_addresses(name) else safe_name(name)

    async def names(self) -> Sequence[str]:
        """The names of all .dnv files, sorted; not all of them need be clips."""
        return sorted(await to_thread(self._paths))

    @asynccontextmanager
    async def current(self, name: str) -> AsyncIterator[FileVersion]:
        """The newest version of a clip; see ``Library``."""
        known = self._versions.peek(name)
        path, unchanged = await to_thread(self._find, name, known)
        opening = partial(FileVersion, path, name, self._device)

        def is_current(version: FileVersion) -> bool:
            return unchanged or version is not known  # any other was opened a moment ago

        async with self._versions.use(name, is_current, opening) as version:
            yield version

    async def close(self) -> None:
        """Close all versions."""
        await self._versions.close()

    def _find(self, name: str, known: FileVersion | None) -> tuple[Path, bool]:
        """The file of a clip, and whether it is the known version. Raises NoSuchClipError."""
        path = self._paths().get(name)
        if path is None:
            raise NoSuchClipError("there is no clip of this name")
        return path, known is not None and known.is_at(path)

    def _paths(self) -> dict[str, Path]:
        if not self.is_folder:
            return {self._own_name: self._resolved} if self._resolved.exists() else {}
        try:
            found = self._entries()
        except OSError:
            return {}
        return {
            entry.name.removesuffix(_SUFFIX): Path(entry.path)
            for entry in found
            if not entry.is_symlink() or Path(entry.path).resolve().is_relative_to(self._resolved)
        }

    def _entries(self) -> list[os.DirEntry[str]]:
        """The .dnv files of the folder. Raises OSError."""
        with os.scandir(self._resolved) as entries:
            return [
                entry
                for entry in entries
                if entry.name.endswith(_SUFFIX) and _fits_addresses(entry.name.removesuffix(_SUFFIX))
            ]


def _fits_addresses(name: str) -> bool:
    """False for hidden files, among them temporary ones, and for names that are not UTF-8."""
    return bool(name) and not name.startswith(".") and not any("\ud800" <= c <= "\udfff" for c in name)


def _state_of(path: Path) -> _FileState | None:
    try:
        return _FileState.of(path.stat())
    except OSError:
        return None
