"""Opens a clip for rendering at its first use, once for all threads."""

import threading
from typing import TYPE_CHECKING

from dynerf_format.container.reader import Reader

if TYPE_CHECKING:
    from .shared_clip import SharedClip


class LazyClip:
    """The clip that a reader reads, on a device."""

    def __init__(self, reader: Reader, device: str, name: str) -> None:
        self._arguments = reader, device, name
        self._lock = threading.Lock()
        self._clip: SharedClip | None = None

    def get(self) -> "SharedClip":
        """The clip; other threads wait while one opens it. Raises FormatError when it cannot be rendered."""
        from .shared_clip import SharedClip  # torch takes seconds to import

        with self._lock:
            if self._clip is None:
                self._clip = SharedClip(*self._arguments)
            return self._clip

    def close(self) -> None:
        """End the clip's threads, if it was opened."""
        with self._lock:
            clip = self._clip
        if clip is not None:
            clip.close()
