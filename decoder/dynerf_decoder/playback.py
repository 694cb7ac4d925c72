"""Pictures of a clip one after the other: what the next one needs is decoded while one is rendered."""

from collections.abc import Generator, Sequence
from contextlib import closing

from .ahead import Ahead
from .camera import Camera
from .clip import Clip
from .picture import Picture


def play(clip: Clip, views: Sequence[tuple[Camera, float]]) -> Generator[Picture, None, None]:
    """The pictures that cameras see at moments (in frames), in order.

    A thread reads and folds the next moment, one of the clip's loads the next segment's model as soon as the
    one before is shown. A moment that stays is folded once. What fails is raised where the picture would be.
    Close the iterator to end the thread.
    """
    coming = _segments_after(clip, [frame for _, frame in views])
    with closing(Ahead(clip.fold)) as ahead:
        for index, (camera, frame) in enumerate(views):
            if index == 0 or frame != views[index - 1][1]:
                folded = ahead.take(frame)
            segment = coming[index]
            if segment is not None:
                clip.load_ahead(segment)
            if index + 1 < len(views) and views[index + 1][1] != frame:
                ahead.begin(views[index + 1][1])
            yield clip.render_folded(folded, camera)


def _segments_after(clip: Clip, frames: Sequence[float]) -> list[int | None]:
    """For each of some moments the next segment that a later one is in; None when all are in the same."""
    result: list[int | None] = [None] * len(frames)
    coming: int | None = None
    for index in range(len(frames) - 2, -1, -1):
        here, after = clip.segment_at(frames[index]), clip.segment_at(frames[index + 1])
        coming = after if after != here else coming
        result[index] = coming
    return result
