"""Pictures of a clip one after the other: what the next one needs is decoded while one is rendered."""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Protocol, runtime_checkable

import torch

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.fields.field import FoldedModel
from dynerf_decoder.render.frame import Frame

from .prefetch import Prefetcher


@runtime_checkable
class Playable(Protocol):
    """What playing needs of a clip; ``Clip`` says what each does."""

    device: torch.device

    def frame_at(self, seconds: float) -> float:
        """The moment ``seconds`` from the start, in frames."""

    def segment_at(self, frame: float) -> int:
        """The segment whose model shows a moment."""

    def load_ahead(self, segment: int) -> None:
        """Have a segment's model loaded by a thread."""

    def fold(self, frame: float) -> FoldedModel:
        """The static model at a moment."""

    def render_folded(self, folded: FoldedModel, camera: Camera) -> Frame:
        """What a camera sees of it."""

    def depth_range(self) -> tuple[float, float]:
        """The least and greatest distance at which the clip's cameras can see anything."""


def play(clip: Playable, views: Sequence[tuple[Camera, float]]) -> Generator[Frame, None, None]:
    """The pictures that cameras see at moments (in frames), in order.

    A thread reads and folds the next moment, one of the clip's loads the next segment's model as soon as the
    one before is shown. A moment that stays is folded once. What fails is raised where the picture would be.
    Close the iterator to end the thread.
    """
    coming = _segments_after(clip, [frame for _, frame in views])
    with closing(Prefetcher(clip.fold)) as ahead:
        for index, (camera, frame) in enumerate(views):
            if index == 0 or frame != views[index - 1][1]:
                folded = ahead.take(frame)
            segment = coming[index]
            if segment is not None:
                clip.load_ahead(segment)
            if index + 1 < len(views) and views[index + 1][1] != frame:
                ahead.begin(views[index + 1][1])
            yield clip.render_folded(folded, camera)


def _segments_after(clip: Playable, frames: Sequence[float]) -> list[int | None]:
    """For each of some moments the next segment that a later one is in; None when all are in the same."""
    result: list[int | None] = [None] * len(frames)
    coming: int | None = None
    for index in range(len(frames) - 2, -1, -1):
        here, after = clip.segment_at(frames[index]), clip.segment_at(frames[index + 1])
        coming = after if after != here else coming
        result[index] = coming
    return result
