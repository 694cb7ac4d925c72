"""Lock a work folder for one job: two would overwrite each other's pictures and checkpoints.

The folder itself is locked, so a killed job leaves no lock file behind. The processes of one torchrun job
share the folder; the leader holds the lock for all.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from dynerf_format.errors import OutputError


@contextlib.contextmanager
def folder_lock(folder: Path, job: str = "encode", option: str = "--cache") -> Iterator[None]:
    """Hold a folder locked while the block runs; if it was created for it and is still empty, remove it.

    Raises OutputError if another job holds the lock, or if the folder cannot be created; ``job`` is what the
    error calls it, ``option`` the one that chooses another folder.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    new = not folder.exists()
    handle = _open_locked(
        folder, f"another {job} is using this folder; wait for it, or choose another with {option}"
    )
    try:
        yield
    finally:
        if new:  # while the lock is held, so no other job can have started in it
            with contextlib.suppress(OSError):
                folder.rmdir()
        os.close(handle)


def _open_locked(folder: Path, taken: str) -> int:
    """A handle of the folder, created if missing, opened and locked."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise OutputError(f"{folder}: the work folder cannot be made: {error.strerror}") from error
        try:
            _lock(handle, folder, taken)
        except OutputError:
            os.close(handle)
            raise
        if _is_current(handle, folder):
            return handle
        os.close(handle)


def _is_current(handle: int, folder: Path) -> bool:
    """Whether the path still names what was opened: the previous job may have removed it."""
    try:
        return os.path.samestat(os.fstat(handle), folder.stat())
    except FileNotFoundError:
        return False


def _lock(handle: int, folder: Path, taken: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(f"{folder}: {taken}") from error
    except OSError:  # a file system without locks
        return
