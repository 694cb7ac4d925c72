"""Evaluates a clip: decoded RGB compared with the pictures of the capture it was encoded from.

Pictures are compared before any video coding.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.render.frame import rgb_to_uint8
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.captures.reading import READ_AS_FOUND, Reading
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.weights import temporal_median
from dynerf_format.errors import CaptureError, ConfigError, ViewError
from dynerf_format.frame_range import FrameRange
from dynerf_format.io.temporary import temporary_folder

from .external_metrics import ColorVideoVdp, Flip, Spool
from .lpips import Lpips
from .metrics import dssim, moving_psnr, mse, psnr, ssim

_MEDIAN_VALUES = 2**18  # values of (frame, pixel) at once


METRICS = {
    "psnr": ("PSNR dB", 3), "ssim": ("SSIM", 4), "mse": ("MSE", 5), "dssim": ("DSSIM", 4),
    "lpips": ("LPIPS", 4), "flip": ("FLIP", 4), "psnr_moving": ("moving dB", 3),
}  # fmt: skip
"""Metrics of a picture, reported per picture and as means, with heading and decimals in a table. JOD is not
among them, because it is of a whole view."""


@dataclass(frozen=True)
class FrameScore:
    """The metrics of one decoded picture; for None see ``Evaluation.missing``."""

    view: str
    frame: int
    psnr: float
    ssim: float | None
    mse: float
    dssim: float | None
    lpips: float | None
    flip: float | None
    psnr_moving: float | None


@dataclass(frozen=True)
class Evaluation:
    """Scores of all compared pictures. ``missing`` says why a metric is None."""

    views: tuple[str, ...]
    frames: tuple[FrameScore, ...]
    jod: float | None
    missing: Mapping[str, str]

    def mean(self, metric: str) -> float | None:
        """Mean of one of ``METRICS`` (for PSNR the mean of dB values); None when no picture has it."""
        values = [getattr(score, metric) for score in self.frames]
        defined = [value for value in values if value is not None]
        return float(np.mean(defined)) if defined else None

    @property
    def psnr(self) -> float:
        """Mean PSNR in dB."""
        return float(np.mean([score.psnr for score in self.frames]))

    @property
    def ssim(self) -> float | None:
        """Mean SSIM; None when no picture has one."""
        return self.mean("ssim")


OnFrame = Callable[[FrameScore, Float[Tensor, "height width 3"], Float[Tensor, "height width 3"]], None]
"""Called with each score, the decoded and the true picture."""


def evaluate(
    clip: Clip,
    capture: Path,
    *,
    views: Sequence[str] | None = None,
    every: int = 1,
    lpips_weights: Path | None = None,
    reading: Reading = READ_AS_FOUND,
    progress: Callable[[int, int], None] | None = None,
    on_frame: OnFrame | None = None,
) -> Evaluation:
    """Decode every ``every``-th frame of some views and compare with the capture's videos.

    Without ``views`` these are the held-out cameras, or all cameras when none was held out. The capture's
    frames are averaged like the clip's, in a temporary folder. Raises ViewError for unknown views,
    CaptureError when the capture is not the clip's, ConfigError for invalid LPIPS weights.
    """
    names = _chosen_views(clip, views)
    if every < 1:
        raise ConfigError(f"--every {every}: expected 1 or more")
    optional = _OptionalMetrics.load(clip, every, lpips_weights)
    first = clip.header.first_source_frame
    frames = FrameRange(first, first + clip.frames)
    recording = read_capture(capture, frames, reading)
    with temporary_folder("dynerf-eval-") as folder:
        chosen = recording.only(names)
        downscale = _downscale(clip, chosen.view(names[0]).camera)
        store = FrameStore.build(chosen, folder, frames=frames, downscale=downscale)
        _check_cameras(clip, store, capture)
        scorer = _Scorer(clip, store, optional, folder if optional.jod else None)
        work = [(view, frame) for frame in range(0, clip.frames, every) for view in names]
        scores = []
        for done, (view, frame) in enumerate(work):
            score, decoded, truth = scorer.score(view, frame)
            scores.append(score)
            if on_frame:
                on_frame(score, decoded, truth)
            if progress:
                progress(done + 1, len(work))
        jod = scorer.jod()
    return Evaluation(tuple(names), tuple(scores), jod, _missing(scores, optional))


@dataclass(frozen=True)
class _OptionalMetrics:
    """The metrics that need weights or other packages; ``missing`` says why some are not available."""

    lpips: Lpips | None
    flip: Flip | None
    jod: ColorVideoVdp | None
    missing: Mapping[str, str]

    @classmethod
    def load(cls, clip: Clip, every: int, lpips_weights: Path | None) -> "_OptionalMetrics":
        lpips, flip, jod, missing = None, None, None, {}
        if lpips_weights is None:
            missing["lpips"] = "needs weights, which are not downloaded: --lpips-weights FILE"
        else:
            lpips = Lpips.load(lpips_weights, clip.device)
        try:
            flip = Flip()
        except ImportError as error:
            missing["flip"] = f"needs the package flip-evaluator (dynerf[metrics]): {error}"
        if every > 1 or clip.frames < 2:
            missing["jod"] = "is of a whole video: needs --every 1 and at least two frames"
            return cls(lpips, flip, jod, missing)
        try:
            jod = ColorVideoVdp()
        except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision for another torch version
            first_line = str(error).partition("\n")[0]
            missing["jod"] = f"needs the package cvvdp: {first_line}"
        return cls(lpips, flip, jod, missing)


class _Scorer:
    """Decodes and compares; keeps each view's median, and its pictures in ``folder`` if needed for JOD."""

    def __init__(
        self, clip: Clip, store: FrameStore, optional: _OptionalMetrics, folder: Path | None
    ) -> None:
        self._clip, self._store, self._optional, self._folder = clip, store, optional, folder
        self._medians: dict[str, Tensor] = {}
        self._spools: dict[str, Spool] = {}

    def score(self, view: str, frame: int) -> tuple[FrameScore, Tensor, Tensor]:
        index = self._store.names.index(view)
        true_bytes = np.array(self._store.view(index)[frame])
        truth = torch.as_tensor(true_bytes).float() / 255
        decoded = self._clip.render(self._store.cameras[index], frame=float(frame)).rgb.cpu()
        mask = self._store.covered[index]
        covered = None if mask is None else torch.as_tensor(mask)
        if covered is not None:  # metrics of whole pictures count a pixel without source as equal
            truth = torch.where(covered.unsqueeze(-1), truth, decoded)
            true_bytes = rgb_to_uint8(truth)
        similarity = ssim(decoded, truth, covered)
        lpips, flip = self._optional.lpips, self._optional.flip
        if self._folder is not None:
            if view not in self._spools:
                size = (self._store.frames, self._store.height, self._store.width)
                self._spools[view] = Spool(self._folder, view, *size)
            spool = self._spools[view]
            spool.decoded[frame], spool.truth[frame] = rgb_to_uint8(decoded), true_bytes
        score = FrameScore(
            view, frame, psnr(decoded, truth, covered), similarity, mse(decoded, truth, covered),
            dssim(similarity),
            lpips(decoded, truth) if lpips else None,
            flip(truth, decoded) if flip else None,
            moving_psnr(decoded, truth, self._median(view), covered),
        )  # fmt: skip
        return score, decoded, truth

    def jod(self) -> float | None:
        """Mean over the views; None when it is not available."""
        if self._optional.jod is None:
            return None
        fps = float(self._clip.fps)
        scores = [self._optional.jod(spool.decoded, spool.truth, fps) for spool in self._spools.values()]
        return float(np.mean(scores))

    def _median(self, view: str) -> Float[Tensor, "height width 3"]:
        if view not in self._medians:
            self._medians[view] = _view_median(self._store, self._store.names.index(view))
        return self._medians[view]


def _view_median(store: FrameStore, view: int) -> Float[Tensor, "height width 3"]:
    """The exact temporal median of a view over all frames of the clip, in 0..1, some rows at a time."""
    pictures = store.view(view)
    rows = max(1, _MEDIAN_VALUES // (store.frames * store.width))
    parts = [
        temporal_median(np.asarray(pictures[:, start : start + rows]).reshape(store.frames, -1, 3))
        for start in range(0, store.height, rows)
    ]
    doubled = np.concatenate(parts).reshape(store.height, store.width, 3)
    return torch.as_tensor(doubled.astype(np.float32) / (2 * 255))


def _missing(scores: Sequence[FrameScore], optional: _OptionalMetrics) -> dict[str, str]:
    missing = dict(optional.missing)
    small = "the pictures are too small for it"
    for metric, reason in (
        ("ssim", small), ("dssim", small), ("lpips", small), ("psnr_moving", "no pixel moves"),
    ):  # fmt: skip
        if all(getattr(score, metric) is None for score in scores):
            missing.setdefault(metric, reason)
    return missing


def _chosen_views(clip: Clip, views: Sequence[str] | None) -> list[str]:
    roles = {record.name: record.role for record in clip.header.cameras}
    if views is None:
        return [name for name, role in roles.items() if role == "held_out"] or list(roles)
    for name in views:
        if name not in roles:
            raise ViewError(f"no view {name!r} in the clip, there are {', '.join(roles)}")
    return list(dict.fromkeys(views))


def _downscale(clip: Clip, camera: Camera) -> int:
    """The integer factor by which the encoder averaged the capture's pictures.

    It follows from the focal length, which is divided exactly; the width was rounded down.
    """
    averaged = next(found for found in clip.cameras if found.name == camera.name)
    return max(1, round(camera.focal_x / averaged.focal_x))


def _check_cameras(clip: Clip, store: FrameStore, capture: Path) -> None:
    """CaptureError when the capture's cameras are not the clip's: metrics would be meaningless."""
    expected = {camera.name: camera for camera in clip.cameras}
    for camera in store.cameras:
        other = expected[camera.name]
        same_size = (camera.width, camera.height) == (other.width, other.height)
        same_lens = np.allclose([camera.focal_x, camera.focal_y], [other.focal_x, other.focal_y])
        # No relative tolerance: it would be 46 units for a capture in map coordinates.
        same_pose = np.allclose(camera.camera_to_world, other.camera_to_world, rtol=0, atol=1e-6)
        if not (same_size and same_lens and same_pose):
            raise CaptureError(
                f"{capture}: camera {camera.name} has another pose, lens or size than in the clip; "
                "expected the capture the clip was encoded from"
            )
