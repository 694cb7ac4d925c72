"""Shares one clip in memory among all of its viewers.

A clip of several segments has a model for each. The next segment's model is loaded before its first frame is
requested, so that playback does not stall at the border; the first segment follows the last, because clips
loop.

Requested moments follow the page's clock and cannot be predicted, so nothing is folded in advance; recently
folded moments are kept (``folded_moments.py``).
"""

import threading

import torch

from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.fields.field import FoldedModel
from dynerf_format.container.reader import Reader

from .folded_moments import MOMENTS, FoldedMoments

_PREFETCH_SECONDS = 5  # of the clip before a border: decoding weights takes three


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
        """As ``Clip``; ``moments`` keeps the folded moments."""
        super().__init__(reader, device, name, layers)
        self._coarser: dict[int, SharedClip] = {}
        self._lock = threading.Lock()
        self._moments = moments
        self._owner = object()  # key in the moments, which would keep the clip itself alive

    @property
    def layer_count(self) -> int:
        """Number of quality layers of the file."""
        return 1 + max(entry.layer for entry in self.reader.directory)

    def with_layers(self, layers: int) -> "SharedClip":
        """The same clip with the first ``layers`` quality layers only; with all of them this one."""
        if layers >= self.layer_count:
            return self
        with self._lock:
            if layers in self._coarser:
                return self._coarser[layers]
            replaced = list(self._coarser.values())
            coarser = SharedClip(self.reader, self.device, self.name, self._moments, layers)
            self._coarser = {layers: coarser}  # one at a time: layers arrive one after the other
        for clip in replaced:
            clip.close(wait=False)
        return coarser

    def fold(self, frame: float) -> FoldedModel:
        """The static model at a moment, as ``Clip.fold``; the same object for a moment while it is kept."""
        kept = self._moments.get(self._owner, frame)
        if kept is not None:
            return kept
        self.model(self.segment_at(frame))  # may take seconds, so outside the lock
        with self._lock:
            folded = self._moments.get(self._owner, frame)
            if folded is None:
                folded = super().fold(frame)
                self._prefetch_next_segment(frame)
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

    def _prefetch_next_segment(self, frame: float) -> None:
        """Start to load the next segment's model when its first frame is near."""
        segments = self.header.segments
        segment = self.segment_at(frame)
        border = segments[segment].first_frame + segments[segment].frames
        if len(segments) > 1 and border - frame <= _PREFETCH_SECONDS * self.fps:
            self.prefetch_model((segment + 1) % len(segments))
