"""Caches a file that is expensive to build: it is reused while its inputs are the same.

``isg.json`` next to ``isg.map`` records the inputs of the file. The file is current when they equal the
present inputs and its size is right; its contents are not checked. A file that is not current is removed
before the new one is written. Files appear complete or not at all.
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

_MAX_MANIFEST_BYTES = 2**22
_RESERVED_BYTES = 2**24  # of free disk space, for the manifest and the file system's own tables


@dataclass(frozen=True)
class CachedFile:
    """A file of ``nbytes`` bytes; ``inputs`` holds everything its contents depend on, as JSON values."""

    path: Path
    nbytes: int
    inputs: Mapping[str, object]

    def is_current(self) -> bool:
        """Whether the file exists and need not be built again."""
        return _size(self.path) == self.nbytes and self._manifest() == json.loads(json.dumps(self.inputs))

    def write(self, fill: Callable[[BinaryIO], None]) -> None:
        """Build the file, and its folder; ``fill`` writes ``nbytes`` bytes, in any order.

        Raises OutputError when the disk has too little space, which is checked first, or on a write error.
        """
        manifest = self.path.with_suffix(".json")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            manifest.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
            remove_leftovers(self.path)
            self._check_disk_space()
            with atomic_path(self.path) as temporary, temporary.open("xb") as file:
                fill(file)
            with atomic_path(manifest) as temporary:
                temporary.write_text(json.dumps(self.inputs), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def read(self, dtype: type[np.generic], shape: tuple[int, ...], offset: int = 0) -> np.ndarray:
        """An array in the file, mapped read-only. Raises OutputError."""
        try:
            return np.asarray(np.memmap(self.path, dtype, mode="r", offset=offset, shape=shape))
        except (OSError, ValueError) as error:
            raise OutputError(f"{self.path}: cannot be mapped as an array {shape}: {error}") from error

    def _manifest(self) -> object:
        path = self.path.with_suffix(".json")
        size = _size(path)
        if size is None or size > _MAX_MANIFEST_BYTES:
            return None
        try:
            return json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return None

    def _check_disk_space(self) -> None:
        free = shutil.disk_usage(self.path.parent).free
        needed = self.nbytes + _RESERVED_BYTES
        if free < needed:
            raise OutputError(f"{self.path}: needs {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free")


def _size(path: Path) -> int | None:
    """Size of a regular file; None for anything else, links included."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
