"""Compare a clip with the capture it was made from: decoded RGB against the true pictures.

Pictures are compared before any video coding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from dynerf_decoder.camera import Camera
from dynerf_decoder.clip import Clip
from dynerf_format.errors import CaptureError, ConfigError, ViewError

from .captures.frame_range import FrameRange
from .captures.n3v import read_n3v
from .frame_store import FrameStore
from .metrics import psnr, ssim


@dataclass(frozen=True)
class FrameScore:
    """The distortion of one decoded picture; ``ssim`` is None for pictures smaller than its window."""

    view: str
    frame: int
    psnr: float
    ssim: float | None


@dataclass(frozen=True)
class Evaluation:
    """Scores of all compared pictures and their means (of dB values, as the field reports them)."""

    views: tuple[str, ...]
    frames: tuple[FrameScore, ...]

    @property
    def psnr(self) -> float:
        """Mean PSNR in dB."""
        return float(np.mean([score.psnr for score in self.frames]))

    @property
    def ssim(self) -> float | None:
        """Mean SSIM; None when no picture has one."""
        values = [score.ssim for score in self.frames if score.ssim is not None]
        return float(np.mean(values)) if values else None


def evaluate(
    clip: Clip,
    capture: Path,
    *,
    views: Sequence[str] | None = None,
    every: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Decode every ``every``-th frame of some views and compare with the capture's videos.

    Without ``views`` the held-out cameras, or all cameras when none was held out. The capture's frames are
    averaged and cut as the clip's cameras say, in a temporary folder. Raises ViewError for unknown views,
    CaptureError when the capture is not the clip's.
    """
    names = _chosen_views(clip, views)
    if every < 1:
        raise ConfigError(f"--every {every}: expected 1 or more")
    first = clip.header.first_source_frame
    frames = FrameRange(first, first + clip.frames)
    recording = read_n3v(capture, frames)
    with TemporaryDirectory(prefix="dynerf-eval-") as folder:
        chosen = recording.only(names)
        downscale = _downscale(clip, chosen.view(names[0]).camera)
        store = FrameStore.build(chosen, Path(folder), frames=frames, downscale=downscale)
        _check_cameras(clip, store, capture)
        work = [(view, frame) for frame in range(0, clip.frames, every) for view in names]
        scores = []
        for done, (view, frame) in enumerate(work):
            scores.append(_score(clip, store, view, frame))
            if progress:
                progress(done + 1, len(work))
    return Evaluation(tuple(names), tuple(scores))


def _chosen_views(clip: Clip, views: Sequence[str] | None) -> list[str]:
    roles = {record.name: record.role for record in clip.header.cameras}
    if views is None:
        return [name for name, role in roles.items() if role == "held_out"] or list(roles)
    for name in views:
        if name not in roles:
            raise ViewError(f"no view {name!r} in the clip, there are {', '.join(roles)}")
    return list(dict.fromkeys(views))


def _downscale(clip: Clip, camera: Camera) -> int:
    """The whole factor by which the encoder averaged the capture's pictures.

    Told by the focal length, which is divided exactly; of the width a remainder was cut.
    """
    mine = next(mine for mine in clip.cameras if mine.name == camera.name)
    return max(1, round(camera.focal_x / mine.focal_x))


def _check_cameras(clip: Clip, store: FrameStore, capture: Path) -> None:
    """A capture with other cameras would give figures that mean nothing."""
    known = {camera.name: camera for camera in clip.cameras}
    for camera in store.cameras:
        mine = known[camera.name]
        same_size = (camera.width, camera.height) == (mine.width, mine.height)
        same_lens = np.allclose([camera.focal_x, camera.focal_y], [mine.focal_x, mine.focal_y])
        same_pose = np.allclose(camera.camera_to_world, mine.camera_to_world, atol=1e-6)
        if not (same_size and same_lens and same_pose):
            raise CaptureError(
                f"{capture}: camera {camera.name} has another pose, lens or size than in the clip; "
                "expected the capture the clip was encoded from"
            )


def _score(clip: Clip, store: FrameStore, view: str, frame: int) -> FrameScore:
    index = store.names.index(view)
    truth = torch.as_tensor(np.array(store.view(index)[frame])).float() / 255
    decoded = clip.render(store.cameras[index], float(frame)).rgb
    return FrameScore(view, frame, psnr(decoded, truth), ssim(decoded, truth))
