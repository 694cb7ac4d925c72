"""Chooses the keyframes that the first stage trains: every K-th frame, or as many placed by change.

The first and the last frame are always keyframes, so that the latents of all others start between two of
them. A clip of at most K frames uses K = frames / 5, rounded up: six keyframes, or all frames of a shorter
clip.

Adaptive placement is what the paper suggests for large fast motion (DyNeRF, 5). The change of frame t is the
mean absolute difference to frame t - 1 over all training views; keyframes are placed so that about the same
sum of changes lies between any two neighbours.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_format.errors import ConfigError

_MIN_INTERVALS = 5
_PIXEL_STRIDE = 4  # change is measured on one pixel in sixteen, which ranks frames as well as all of them do


def interval_for(frames: int, interval: int) -> int:
    """The interval used for a clip of ``frames`` when ``interval`` is requested. Raises ConfigError."""
    if interval < 1:
        raise ConfigError(f"schedule.keyframe_interval: found {interval}, expected 1 or more")
    return interval if frames > interval else -(-frames // _MIN_INTERVALS)


def fixed_keyframes(frames: int, interval: int) -> tuple[int, ...]:
    """Every ``interval_for``-th frame, and the last one."""
    return tuple(sorted({*range(0, frames, interval_for(frames, interval)), frames - 1}))


def adaptive_keyframes(changes: Float64[np.ndarray, " frame"], count: int) -> tuple[int, ...]:
    """``count`` frames (at least two, at most all) with equal sums of ``changes`` between neighbours.

    ``changes[t]`` is the change from frame t - 1 to t; ``changes[0]`` is ignored. A keyframe that would fall
    on a frame already chosen goes to the middle of the widest gap, so in a still clip they are spread evenly.
    """
    frames = len(changes)
    sums = np.concatenate([[0.0], np.cumsum(changes[1:])])
    targets = np.linspace(0, sums[-1], min(count, frames))
    chosen = {0, frames - 1, *(int(np.abs(sums - target).argmin()) for target in targets[1:-1])}
    while len(chosen) < min(count, frames):
        ordered = np.array(sorted(chosen))
        widest = int(np.diff(ordered).argmax())
        chosen.add(int(ordered[widest : widest + 2].sum()) // 2)
    return tuple(sorted(chosen))


def frame_changes(store: FrameStore, views: Sequence[int]) -> Float64[np.ndarray, " frame"]:
    """Mean absolute difference, in levels of 1/255, of each frame to the one before it; 0 for the first.

    Two pictures of each view are in memory at once.
    """
    changes = np.zeros(store.frames)
    for view in views:
        pictures, previous = store.view(view), None
        for frame in range(store.frames):
            current = np.asarray(pictures[frame, ::_PIXEL_STRIDE, ::_PIXEL_STRIDE]).astype(np.int16)
            if previous is not None:
                changes[frame] += np.abs(current - previous).mean() / len(views)
            previous = current
    return changes
