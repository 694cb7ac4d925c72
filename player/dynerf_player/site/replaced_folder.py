"""Writes a folder that appears complete under its final name, or not at all."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from dynerf_format.errors import OutputError, reason

MARKER = "dynerf-site.json"  # in every site: only a folder that has it is replaced


@contextlib.contextmanager
def replaced_folder(final: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``final``; when the block succeeds, it takes the place of ``final``.

    ``final`` is a folder that does not exist yet, is empty, or is an earlier site. On any failure, Ctrl-C
    included, the new folder is removed and ``final`` stays as it was. OutputError when it cannot be written.
    """
    check_replaceable(final)
    target = final.resolve()
    temporary = target.with_name(f".{target.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        temporary.mkdir()
        yield temporary
        _swap(temporary, target)
    except OSError as error:
        raise OutputError(f"{final}: cannot be written: {reason(error)}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_replaceable(final: Path) -> None:
    """OutputError unless ``final`` can be created or is an empty folder or an earlier site."""
    try:
        if final.is_dir():
            if any(final.iterdir()) and not (final / MARKER).is_file():
                raise OutputError(
                    f"{final}: is a folder with other files, expected a new or empty folder, or a site that "
                    "'dynerf web' wrote"
                )
        elif final.exists() or final.is_symlink():
            raise OutputError(f"{final}: is not a folder")
        elif not final.resolve().parent.is_dir():
            raise OutputError(f"{final}: the folder {final.resolve().parent} does not exist")
    except OSError as error:
        raise OutputError(f"{final}: cannot be read: {reason(error)}") from error


def _swap(temporary: Path, target: Path) -> None:
    """Move the new folder into place; the earlier one is put aside first and removed at the end."""
    earlier = target.with_name(f"{temporary.name}.old")
    if target.exists():
        target.rename(earlier)
    try:
        temporary.rename(target)
    except OSError:
        if earlier.exists():
            earlier.rename(target)
        raise
    shutil.rmtree(earlier, ignore_errors=True)
