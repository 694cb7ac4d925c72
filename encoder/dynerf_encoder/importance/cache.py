"""A file that is expensive to make and can be made again: kept while what it was made from is the same.

Beside ``isg.map`` lies ``isg.json``, which says what the file was made from. The file is current when that is
equal to what it would be made from now and the size is right; its contents are not checked. A file that is
not current is removed before its successor is written. It appears complete or not at all.
"""

import json
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dynerf_format.errors import OutputError
from dynerf_format.io.atomic_write import atomic_path, remove_leftovers

_MOST_BYTES = 2**22  # of a manifest
_SPARE_BYTES = 2**24  # left free beside the file, for the manifest and the file system's own tables


@dataclass(frozen=True)
class CachedFile:
    """A file of ``nbytes`` bytes; ``made_from`` holds everything its contents depend on, as plain JSON."""

    path: Path
    nbytes: int
    made_from: Mapping[str, object]

    def is_current(self) -> bool:
        """Whether the file is there and need not be made again."""
        return _size(self.path) == self.nbytes and self._manifest() == json.loads(json.dumps(self.made_from))

    def write(self, fill: Callable[[BinaryIO], None]) -> None:
        """Make the file, and its folder; ``fill`` writes ``nbytes`` bytes, in any order.

        Raises OutputError when it does not fit, which is checked first, or cannot be written.
        """
        manifest = self.path.with_suffix(".json")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            manifest.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
            remove_leftovers(self.path)
            self._check_room()
            with atomic_path(self.path) as temporary, temporary.open("xb") as file:
                fill(file)
            with atomic_path(manifest) as temporary:
                temporary.write_text(json.dumps(self.made_from), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def read(self, dtype: type[np.generic], shape: tuple[int, ...], offset: int = 0) -> np.ndarray:
        """An array in the file, read-only, mapped. Raises OutputError."""
        try:
            return np.asarray(np.memmap(self.path, dtype, mode="r", offset=offset, shape=shape))
        except (OSError, ValueError) as error:
            raise OutputError(f"{self.path}: cannot be mapped as an array {shape}: {error}") from error

    def _manifest(self) -> object:
        path = self.path.with_suffix(".json")
        size = _size(path)
        if size is None or size > _MOST_BYTES:
            return None
        try:
            return json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return None

    def _check_room(self) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < self.nbytes + _SPARE_BYTES:
            needed = self.nbytes + _SPARE_BYTES
            raise OutputError(f"{self.path}: needs {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free")


def _size(path: Path) -> int | None:
    """Size of a regular file; None for anything else, links included."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
