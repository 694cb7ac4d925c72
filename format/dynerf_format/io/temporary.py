"""Temporary folders and preallocated files, whose failures are OutputErrors that name the path."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dynerf_format.errors import OutputError, describe, reason

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 2**20
_NOT_SUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder for temporary files, removed after the block. Raises OutputError."""
    try:
        folder = TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise OutputError(
            f"a temporary folder cannot be created: {describe(error)}; set TMPDIR to use another folder"
        ) from error
    with folder as name:
        yield Path(name)


def allocate(path: Path, size: int) -> None:
    """Create a file of ``size`` bytes, all allocated on the disk.

    Writing to a mapping of a sparse file kills the process (SIGBUS) when the disk is full; this detects a
    full disk first. Raises OutputError.
    """
    try:
        with path.open("xb") as file:
            if not _reserve(file.fileno(), size):
                for start in range(0, size, _BLOCK):
                    file.write(bytes(min(_BLOCK, size - start)))
    except OSError as error:
        raise OutputError(
            f"{path}: needs {size / 1e6:,.0f} MB: {reason(error)}; set TMPDIR to use another folder"
        ) from error


def _reserve(handle: int, size: int) -> bool:
    """Let the file system allocate the space; False where it cannot (macOS has no such function)."""
    if not hasattr(os, "posix_fallocate"):
        return False
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        if error.errno in _NOT_SUPPORTED:
            return False
        raise
    return True
