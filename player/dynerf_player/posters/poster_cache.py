"""Keeps posters on disk, one file per digest of a clip's file.

A poster takes seconds to render (the clip is opened and its weights are decoded), and a catalogue shows many.
The folder is bounded: the posters used least recently are removed. Without a cache folder, or when it cannot
be written, posters are kept in memory only: this cache never makes a request fail.
"""

import contextlib
import os
from collections import OrderedDict
from pathlib import Path

from dynerf_format.errors import DynerfError
from dynerf_format.io.atomic_write import atomic_path
from dynerf_format.io.user_cache import user_cache

_MAX_FILES = 1024  # of some 50 kB
_MAX_IN_MEMORY = 64
_JPEG = b"\xff\xd8"


def default_folder() -> Path | None:
    """The folder for posters in the user's cache folder, if there is one."""
    cache = user_cache()
    return None if cache is None else cache / "posters"


class PosterCache:
    """Posters by the hexadecimal digest of a clip's file. Methods block; call them in a thread."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._recent: OrderedDict[str, bytes] = OrderedDict()

    def get(self, digest: str) -> bytes | None:
        """The poster of a file, or None when it is not kept."""
        if digest in self._recent:
            self._recent.move_to_end(digest)
            return self._recent[digest]
        with contextlib.suppress(OSError):
            if self._folder is not None:
                path = self._folder / f"{digest}.jpg"
                data = path.read_bytes()
                os.utime(path)  # the time of the last use
                if data.startswith(_JPEG):
                    self._remember(digest, data)
                    return data
        return None

    def put(self, digest: str, poster: bytes) -> None:
        """Keep a poster."""
        self._remember(digest, poster)
        if self._folder is None:
            return
        with contextlib.suppress(OSError, DynerfError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(self._folder / f"{digest}.jpg") as path:
                path.write_bytes(poster)
            self._remove_oldest(self._folder)

    def _remember(self, digest: str, poster: bytes) -> None:
        self._recent[digest] = poster
        while len(self._recent) > _MAX_IN_MEMORY:
            self._recent.popitem(last=False)

    @staticmethod
    def _remove_oldest(folder: Path) -> None:
        files = sorted(folder.glob("*.jpg"), key=lambda path: path.stat().st_mtime)
        for path in files[:-_MAX_FILES]:
            path.unlink(missing_ok=True)
