"""Caches folded models of all clips of this process, within one budget of bytes.

Folding costs as much as many rays, and viewers who freeze time, orbit, loop or watch together request the
same moments again and again. The least recently used moment is dropped first, whichever clip it belongs to.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable

from torch import Tensor, nn

from dynerf_decoder.fields.field import FoldedModel

_MAX_BYTES = 256 * 2**20


class FoldedMoments:
    """Folded models by owner, anything hashable, and moment (in frames). Several threads may use it."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        """The newest moment is kept even when it alone is larger than ``max_bytes``."""
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Hashable, float], tuple[FoldedModel, int]] = OrderedDict()
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes kept."""
        return self._held

    def get(self, owner: Hashable, frame: float) -> FoldedModel | None:
        """The folded model of a moment, or None."""
        key = owner, frame
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, owner: Hashable, frame: float, folded: FoldedModel) -> None:
        """Keep a moment until ``forget`` or until it is evicted."""
        key, size = (owner, frame), _bytes(folded)
        with self._lock:
            self._drop(key)
            self._kept[key] = folded, size
            self._held += size
            while self._held > self._max_bytes and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))

    def forget(self, owner: Hashable) -> None:
        """Drop all moments of an owner."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == owner]:
                self._drop(key)

    def _drop(self, key: tuple[Hashable, float]) -> None:
        self._held -= self._kept.pop(key, (None, 0))[1]


MOMENTS = FoldedMoments()  # of this process


def _bytes(value: object) -> int:
    """Bytes of all tensors in an object of dataclasses, modules and lists; shared ones count each time."""
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, nn.Module):
        return sum(parameter.nbytes for parameter in value.parameters())
    if isinstance(value, list | tuple):
        return sum(map(_bytes, value))
    return sum(map(_bytes, vars(value).values())) if hasattr(value, "__dict__") else 0
