"""One clip in memory for everybody who watches it, with the moments folded last kept.

A clip of several segments has a model for each. The next one is loaded beside the current one before its
first frame is asked for, so that playing does not stop at the border; after the last one comes the first,
because clips loop.

The moments that a page asks for are those of its clock when it asks, so none can be folded ahead.

Folding costs as much as many rays, and viewers who freeze time, orbit, loop or watch together ask for the
same moments again and again. What is kept is bounded in bytes; the moment unused for longest goes first.
"""

import threading
from collections import OrderedDict

import torch
from torch import Tensor, nn

from dynerf_decoder.clip import Clip
from dynerf_decoder.fields.field import FoldedModel
from dynerf_format.reader import Reader

_MOST_BYTES = 256 * 2**20  # of folded moments per clip
_AHEAD = 5  # seconds of the clip before a border: weights take three to decode


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
        self.model(self.segment_at(frame))  # may take seconds, which those wait for who need it
        with self._lock:
            folded = super().fold(frame)
            self._look_ahead(frame)
            self._folded[frame] = folded, _bytes(folded)
            while len(self._folded) > 1 and sum(size for _, size in self._folded.values()) > self._kept:
                self._folded.popitem(last=False)
            return folded

    def close(self) -> None:
        """End the threads that load models, once what they are at is done."""
        with self._lock:
            coarser = list(self._coarser.values())
        for clip in [*coarser, self]:
            Clip.close(clip)

    def _look_ahead(self, frame: float) -> None:
        """Begin to load the next segment's model when its first frame is near."""
        segments = self.header.segments
        segment = self.segment_at(frame)
        border = segments[segment].first_frame + segments[segment].frames
        if len(segments) > 1 and border - frame <= _AHEAD * self.fps:
            self.load_ahead((segment + 1) % len(segments))


def _bytes(value: object) -> int:
    """Bytes of all tensors that an object of dataclasses, modules and lists holds; shared ones count too."""
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, nn.Module):
        return sum(parameter.nbytes for parameter in value.parameters())
    if isinstance(value, list | tuple):
        return sum(map(_bytes, value))
    return sum(map(_bytes, vars(value).values())) if hasattr(value, "__dict__") else 0
