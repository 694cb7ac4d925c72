"""Pictures per second of the plain, reference path beside the fast one, and how well the two agree.

The two take turns, frame by frame, so that whatever else the machine does falls on both. A picture's time is
all of ``Clip.render``, the fold of its latent included; the median of the repetitions counts.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from dynerf_decoder.camera import Camera
from dynerf_decoder.clip import Clip
from dynerf_decoder.picture import Frame

from .effort import Effort, Size
from .machine import now


@dataclass(frozen=True)
class Decoding:
    """Pictures and rays per second; the lowest PSNR between the paths in dB, None when no pixel differs."""

    plain_fps: float
    fast_fps: float
    plain_rays_per_s: float
    fast_rays_per_s: float
    agreement_db: float | None
    repetitions: int


def measure_decoding(clip: Clip, size: Size, effort: Effort, watch: Callable[[int, int], None]) -> Decoding:
    """Render frames of the first camera at ``size``, both ways; ``watch`` is told repetitions."""
    camera = clip.cameras[0].with_size(*size)
    plain: list[float] = []
    fast: list[float] = []
    agreement = math.inf
    while not effort.enough(len(plain), sum(plain) + sum(fast)):
        frame = float(len(plain) % clip.frames)
        clip.fold(frame)  # so that neither path has to fetch the latents
        reference, seconds = _timed(clip, camera, frame, plain=True)
        plain.append(seconds)
        picture, seconds = _timed(clip, camera, frame, plain=False)
        fast.append(seconds)
        agreement = min(agreement, _psnr(picture, reference))
        if len(plain) <= effort.least:
            watch(len(plain), effort.least)
    plain_fps, fast_fps = 1 / statistics.median(plain), 1 / statistics.median(fast)
    rays = size[0] * size[1]
    return Decoding(
        plain_fps, fast_fps, plain_fps * rays, fast_fps * rays,
        agreement if math.isfinite(agreement) else None, len(plain),
    )  # fmt: skip


def warm_up(clip: Clip, size: Size) -> None:
    """Render once each way: first calls load libraries and weights."""
    camera = clip.cameras[0].with_size(*size)
    for plain in (True, False):
        clip.render(camera, frame=0.0, plain=plain)


def _timed(clip: Clip, camera: Camera, frame: float, *, plain: bool) -> tuple[Frame, float]:
    started = now(clip.device)
    picture = clip.render(camera, frame=frame, plain=plain)
    return picture, now(clip.device) - started


def _psnr(a: Frame, b: Frame) -> float:
    """Between pictures as rendered, before rounding to 8 bits; in dB, infinite when they are the same."""
    error = float((a.rgb.double() - b.rgb.double()).square().mean())
    return -10 * math.log10(error) if error > 0 else math.inf
