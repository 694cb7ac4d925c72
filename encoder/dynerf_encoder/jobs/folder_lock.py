"""A work folder has one job at a time: two would overwrite each other's pictures and checkpoints.

The folder itself is locked, so there is no file that a killed job could leave behind. Processes of one
torchrun job share the folder; the leader holds the lock for all.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from dynerf_format.errors import OutputError


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold a folder, made if it is missing, while the block runs; if it was, and stays empty, it goes again.

    Raises OutputError when another job holds it, or when it cannot be made.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    new = not folder.exists()
    handle = _held(folder)
    try:
        yield
    finally:
        if new:  # while it is still held: nobody else can have begun in it
            with contextlib.suppress(OSError):
                folder.rmdir()
        os.close(handle)


def _held(folder: Path) -> int:
    """The folder, made if it is missing, open and locked."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise OutputError(f"{folder}: the work folder cannot be made: {error.strerror}") from error
        try:
            _lock(handle, folder)
        except OutputError:
            os.close(handle)
            raise
        if _is_still(handle, folder):
            return handle
        os.close(handle)


def _is_still(handle: int, folder: Path) -> bool:
    """Whether what was opened is what the path names: the job before may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(handle), folder.stat())
    except FileNotFoundError:
        return False


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(
            f"{folder}: another encode is at work in this folder; wait for it, or choose another with --cache"
        ) from error
    except OSError:  # a file system without locks
        return
