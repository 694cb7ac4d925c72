"""Renders pictures of a clip in sequence; data for the next one is decoded while one is rendered."""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Protocol, runtime_checkable

import torch

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.fields.field import FoldedModel
from dynerf_decoder.render.frame import Frame
from dynerf_format.container.reader import Reader

from .prefetch import Prefetcher


@runtime_checkable
class Playable(Protocol):
    """The part of ``Clip`` that ``play`` needs."""

    device: torch.device
    reader: Reader

    def frame_at(self, seconds: float) -> float:
        """The frame number ``seconds`` from the start."""

    def segment_at(self, frame: float) -> int:
        """The segment whose model shows a moment."""

    def prefetch_model(self, segment: int) -> None:
        """Load a segment's model in a thread."""

    def fold(self, frame: float) -> FoldedModel:
        """The static model at a moment."""

    def render_folded(self, folded: FoldedModel, camera: Camera) -> Frame:
        """Render a camera's view of a folded model."""

    def depth_range(self) -> tuple[float, float]:
        """The least and greatest distance of the space in the views of the clip's cameras."""


def play(clip: Playable, views: Sequence[tuple[Camera, float]]) -> Generator[Frame, None, None]:
    """Render pictures of cameras at moments (frame numbers), in order.

    One thread reads and folds the next moment; a thread of the clip loads the next segment's model once a
    segment is shown. A repeated moment is folded once. An error is raised instead of the picture it affects.
    Close the iterator to end the thread.
    """
    next_segments = _segments_after(clip, [frame for _, frame in views])
    with closing(Prefetcher(clip.fold)) as prefetcher:
        for index, (camera, frame) in enumerate(views):
            if index == 0 or frame != views[index - 1][1]:
                folded = prefetcher.get(frame)
            segment = next_segments[index]
            if segment is not None:
                clip.prefetch_model(segment)
            if index + 1 < len(views) and views[index + 1][1] != frame:
                prefetcher.submit(views[index + 1][1])
            yield clip.render_folded(folded, camera)


def _segments_after(clip: Playable, frames: Sequence[float]) -> list[int | None]:
    """For each moment, the next different segment that later moments use; None when there is none."""
    result: list[int | None] = [None] * len(frames)
    next_segment: int | None = None
    for index in range(len(frames) - 2, -1, -1):
        current, following = clip.segment_at(frames[index]), clip.segment_at(frames[index + 1])
        next_segment = following if following != current else next_segment
        result[index] = next_segment
    return result
