"""Write files that appear under their final name complete and on disk, or not at all.

The caller writes to a temporary path in the same folder. On success it is flushed to disk and renamed over
the final name, and the folder is flushed. On any failure, Ctrl-C included, it is removed and an older file of
the final name stays.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf_format.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Errors of the output, whichever call reports them (FFmpeg's errors carry no path).
_OUTPUT_ERRORS = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EIO}


@contextlib.contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Yield a path to write to; when the block succeeds, that file becomes ``final``.

    The temporary file keeps the suffix (from which a muxer guesses its container) and is named like
    ``.clip.tmp-1234-9f3a01c2.mp4``. A symbolic link at ``final`` stays; its target is replaced. Temporary
    files left by killed processes are removed first. OutputError when the folder cannot be written, the disk
    is full or the block wrote no file.
    """
    check_writable(final)
    target = _target(final)
    remove_leftovers(target)
    temporary = _temporary_beside(target)
    try:
        yield temporary
        _move_into_place(temporary, target)
    except OSError as error:
        _remove(temporary)
        if (
            _is_incomplete(error)
            or error.errno in _OUTPUT_ERRORS
            or error.filename in (str(temporary), temporary)
        ):
            raise OutputError(f"{final}: cannot be written: {_reason(error)}") from error
        raise
    except BaseException:
        _remove(temporary)
        raise


def check_folder_writable(folder: Path) -> None:
    """OutputError unless ``folder`` exists or can be created, and files can be created in it."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    check_writable(existing / folder.name)


def check_writable(final: Path) -> None:
    """OutputError unless a file ``final`` can be created; to be called before hours of work.

    Creates and removes an empty file in the folder, because permissions alone do not suffice (read-only
    mounts, access lists). Devices and pipes are refused: renaming over ``/dev/null`` would replace it.
    """
    target = _target(final)
    folder = target.parent
    mode, folder_mode = _mode(target), _mode(folder)
    if mode is not None and stat.S_ISDIR(mode):
        raise OutputError(f"{final}: is a folder, expected the name of a file to write")
    if mode is not None and not stat.S_ISREG(mode):
        raise OutputError(f"{final}: is not a regular file, so it cannot be replaced")
    if folder_mode is None:
        raise OutputError(f"{final}: the folder {folder} does not exist")
    if not stat.S_ISDIR(folder_mode):
        raise OutputError(f"{final}: {folder} is not a folder")
    probe = _temporary_beside(target)
    try:
        probe.open("xb").close()
    except OSError as error:
        raise OutputError(f"{final}: the folder {folder} cannot be written to: {_reason(error)}") from error
    finally:
        _remove(probe)


def _target(final: Path) -> Path:
    """The path to replace, with links resolved, so that the temporary file is on the same file system."""
    if "\0" in str(final) or not final.name:
        raise OutputError(f"{str(final)!r}: is not the name of a file to write")
    return Path(os.path.realpath(final))


def _mode(path: Path) -> int | None:
    """The type and permission bits of ``path``; None when it does not exist."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {_reason(error)}") from error


def remove_leftovers(final: Path) -> None:
    """Remove the temporary files of ``final`` whose processes no longer run."""
    for leftover in final.parent.glob(f".{glob.escape(final.stem[:40])}.tmp-*{glob.escape(final.suffix)}"):
        pid = leftover.name.rsplit(".tmp-", 1)[1].split("-", 1)[0]
        if not _is_running(pid):
            _remove(leftover)


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except OSError:  # a running process of another user
        return True
    return True


def _temporary_beside(target: Path) -> Path:
    # Cut, because the added characters must not make a valid long name too long.
    stem = target.stem[:40]
    return target.with_name(f".{stem}.tmp-{os.getpid()}-{secrets.token_hex(4)}{target.suffix}")


def _move_into_place(temporary: Path, target: Path) -> None:
    if not temporary.is_file():
        raise OutputError(f"{target}: nothing was written")
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
    # The file is complete and in place; failing to flush the folder is not an error.
    with contextlib.suppress(OSError):
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _is_incomplete(error: OSError) -> bool:
    """Whether NumPy reports a full disk, without a number: "800 requested and 96 written"."""
    return type(error) is OSError and error.errno is None


def _reason(error: OSError) -> str:
    if _is_incomplete(error):
        return f"it is incomplete ({error}); the disk is probably full"
    return error.strerror or str(error) or type(error).__name__
