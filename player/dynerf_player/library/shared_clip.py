"""One clip in memory for everybody who watches it.

A clip of several segments has a model for each. The next one is loaded beside the current one before its
first frame is requested, so that playing does not stop at the border; after the last one comes the first,
because clips loop.

The moments that a page requests are those of its clock when it does, so none can be folded ahead; those
folded last are kept (``moments.py``).
"""

import threading

import torch

from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.fields.field import FoldedModel
from dynerf_format.container.reader import Reader

from .folded_moments import MOMENTS, FoldedMoments

_AHEAD = 5  # seconds of the clip before a border: weights take three to decode


class SharedClip(Clip):
    """A clip that several threads may fold and render at once."""

    def __init__(
        self,
        reader: Reader,
        device: torch.device | str = "cpu",
        name: str = "clip",
        moments: FoldedMoments = MOMENTS,
        layers: int | None = None,
    ) -> None:
        """As ``Clip``; ``moments`` is where folded moments are kept."""
        super().__init__(reader, device, name, layers)
        self._coarser: dict[int, SharedClip] = {}
        self._lock = threading.Lock()
        self._moments = moments
        self._owner = object()  # of moments; the clip itself would be kept alive by them

    @property
    def most_layers(self) -> int:
        """How many quality layers the file has."""
        return 1 + max(entry.layer for entry in self.reader.directory)

    def with_layers(self, layers: int) -> "SharedClip":
        """The same clip with the first ``layers`` quality layers only; with all of them this one."""
        if layers >= self.most_layers:
            return self
        with self._lock:
            if layers in self._coarser:
                return self._coarser[layers]
            replaced = list(self._coarser.values())
            coarser = SharedClip(self.reader, self.device, self.name, self._moments, layers)
            self._coarser = {layers: coarser}  # one at a time: layers come in one after the other
        for clip in replaced:
            clip.close(wait=False)
        return coarser

    def fold(self, frame: float) -> FoldedModel:
        """The static model at a moment, as ``Clip.fold``; the same object for the same moment, if kept."""
        kept = self._moments.get(self._owner, frame)
        if kept is not None:
            return kept
        self.model(self.segment_at(frame))  # may take seconds, which only its users wait for
        with self._lock:
            folded = self._moments.get(self._owner, frame)
            if folded is None:
                folded = super().fold(frame)
                self._look_ahead(frame)
                self._moments.put(self._owner, frame, folded)
            return folded

    def close(self, *, wait: bool = True) -> None:
        """End the threads that load models and forget all moments; ``wait`` until those threads are done."""
        with self._lock:
            coarser = list(self._coarser.values())
        for clip in coarser:
            clip.close(wait=wait)
        super().close(wait=wait)
        self._moments.forget(self._owner)

    def _look_ahead(self, frame: float) -> None:
        """Begin to load the next segment's model when its first frame is near."""
        segments = self.header.segments
        segment = self.segment_at(frame)
        border = segments[segment].first_frame + segments[segment].frames
        if len(segments) > 1 and border - frame <= _AHEAD * self.fps:
            self.prefetch_model((segment + 1) % len(segments))
