"""One clip in memory for everybody who watches it, with the moments folded last kept.

A clip of several segments has a model for each. The next one is loaded beside the current one before its
first frame is asked for, so that playing does not stop at the border.

Folding costs as much as many rays, and viewers who freeze time, orbit, loop or watch together ask for the
same moments again and again. What is kept is bounded in bytes; the moment unused for longest goes first.
"""

import contextlib
import threading
from collections import OrderedDict

import torch
from torch import Tensor, nn

from dynerf_decoder.clip import Clip
from dynerf_decoder.fields.field import FoldedModel
from dynerf_format.errors import DynerfError
from dynerf_format.reader import Reader

_MOST_BYTES = 256 * 2**20  # of folded moments per clip
_AHEAD = 2  # seconds before a border


class SharedClip(Clip):
    """A clip that several threads may fold and render at once."""

    def __init__(
        self,
        reader: Reader,
        device: torch.device | str = "cpu",
        name: str = "clip",
        kept: int = _MOST_BYTES,
        layers: int | None = None,
    ) -> None:
        """As ``Clip``; ``kept`` is how many bytes of folded moments are remembered."""
        super().__init__(reader, device, name, layers)
        self._coarser: dict[int, SharedClip] = {}
        self._lock = threading.Lock()
        self._folded: OrderedDict[float, tuple[FoldedModel, int]] = OrderedDict()
        self._kept = kept
        self._loader: threading.Thread | None = None

    @property
    def most_layers(self) -> int:
        """How many quality layers the file has."""
        return 1 + max(entry.layer for entry in self.reader.directory)

    def with_layers(self, layers: int) -> "SharedClip":
        """The same clip with the first ``layers`` quality layers only; with all of them this one."""
        if layers >= self.most_layers:
            return self
        with self._lock:
            if layers not in self._coarser:  # one at a time: layers come in one after the other
                self._coarser = {layers: SharedClip(self.reader, self.device, self.name, self._kept, layers)}
            return self._coarser[layers]

    def fold(self, frame: float) -> FoldedModel:
        """The static model at a moment, as ``Clip.fold``; the same object for the same moment, if kept."""
        with self._lock:
            if frame in self._folded:
                self._folded.move_to_end(frame)
                return self._folded[frame][0]
            folded = super().fold(frame)
            self._look_ahead(frame)
            self._folded[frame] = folded, _bytes(folded)
            while len(self._folded) > 1 and sum(size for _, size in self._folded.values()) > self._kept:
                self._folded.popitem(last=False)
            return folded

    def _look_ahead(self, frame: float) -> None:
        """Begin to load the next segment's model when its first frame is near; called with the lock held."""
        segments = self.header.segments
        coming = self.header.segment_at(int(frame)) + 1
        loading = self._loader is not None and self._loader.is_alive()
        if loading or coming == len(segments) or coming in self._models:
            return
        if segments[coming].first_frame - frame <= _AHEAD * self.fps:
            self._loader = threading.Thread(target=self._load_ahead, args=(coming,), daemon=True)
            self._loader.start()

    def _load_ahead(self, segment: int) -> None:
        with contextlib.suppress(DynerfError, ValueError):  # told to whoever needs the model; a closed file
            model = self._loaded(segment)
            with self._lock:
                current = {n: kept for n, kept in self._models.items() if n == segment - 1}
                self._models = {**current, segment: model}


def _bytes(value: object) -> int:
    """Bytes of all tensors that an object of dataclasses, modules and lists holds; shared ones count too."""
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, nn.Module):
        return sum(parameter.nbytes for parameter in value.parameters())
    if isinstance(value, list | tuple):
        return sum(map(_bytes, value))
    return sum(map(_bytes, vars(value).values())) if hasattr(value, "__dict__") else 0
