"""Sources of a clip's bytes, with one operation: ``read(offset, length)``.

Files and memory are implemented here, HTTP in the player. The same contract test runs on all of them: a read
returns exactly the requested bytes, or raises TruncatedError without allocating anything.
"""

from __future__ import annotations

import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, runtime_checkable

from dynerf_format.errors import FormatError, TruncatedError

if TYPE_CHECKING:
    from types import TracebackType


@runtime_checkable
class Source(Protocol):
    """Random access to bytes. ``name`` is used in messages, ``size`` is the total number of bytes."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Return the ``length`` bytes from ``offset`` on; TruncatedError when they do not all exist."""
        ...


class BytesSource:
    """A clip that is already in memory."""

    def __init__(self, data: bytes | bytearray, name: str = "bytes in memory") -> None:
        self.name = name
        self.size = len(data)
        self._data = data

    def read(self, offset: int, length: int) -> bytes:
        """Return the ``length`` bytes from ``offset`` on; TruncatedError when they do not all exist."""
        check_range(self, offset, length)
        return bytes(self._data[offset : offset + length])


class FileSource:
    """A clip on disk. Use as a context manager; reads may come from several threads.

    The size is that at the time of opening. FormatError when there is no readable regular file.
    """

    def __init__(self, path: Path | str) -> None:
        self.name = str(path)
        self._lock = threading.Lock()
        self._file = _open_regular(Path(path))
        try:
            self.size = self._file.seek(0, 2)
        except OSError as error:
            self._file.close()
            raise FormatError(f"{self.name}: cannot be read: {error.strerror}") from error

    def read(self, offset: int, length: int) -> bytes:
        """Return the ``length`` bytes from ``offset`` on; TruncatedError when they do not all exist."""
        check_range(self, offset, length)
        try:
            with self._lock:
                self._file.seek(offset)
                data = self._file.read(length)
        except OSError as error:
            raise FormatError(f"{self.name}: cannot be read: {error.strerror}") from error
        if len(data) != length:
            raise TruncatedError(f"{self.name}: shrank to {offset + len(data)} bytes while it was read")
        return data

    def close(self) -> None:
        """Close the file; it cannot be read afterwards."""
        self._file.close()

    def __enter__(self) -> FileSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_range(source: Source, offset: int, length: int) -> None:
    """TruncatedError unless the bytes ``offset`` to ``offset + length`` exist; for Source implementations."""
    if offset < 0 or length < 0 or offset + length > source.size:
        raise TruncatedError(
            f"{source.name}: bytes {offset} to {offset + length} are needed, the file has {source.size}"
        )


def _open_regular(path: Path) -> BinaryIO:
    try:
        # Checked before opening: opening a named pipe would block until its other end is opened.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise FormatError(f"{path}: is a folder, expected a .dnv file")
        if not stat.S_ISREG(mode):
            raise FormatError(f"{path}: is not a regular file")
        return path.open("rb")
    except FileNotFoundError as error:
        raise FormatError(f"{path}: no such file") from error
    except OSError as error:
        raise FormatError(f"{path}: cannot be opened: {error.strerror}") from error
    except ValueError as error:  # a NUL character in the name
        raise FormatError(f"{str(path)!r}: is not a file name") from error
