"""What a user has today: every camera's video coded by itself, as H.265 or AV1, at a given mean PSNR.

Each camera is encoded at several constant rate factors with a preset that spends time for size. Bytes are the
sum of the packets of all cameras, without a container, which favours the videos. PSNR is measured as that of
a clip: on RGB, per picture, then averaged. Between two factors, bytes are interpolated in their logarithm.
"""

import io
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.stream import VideoStream

from dynerf_decoder.video.colour import FrameToRgb, RgbToFrame, tag_bt709

CODECS = {
    "H.265": ("libx265", {"preset": "slow", "x265-params": "log-level=error:pools=none"}, range(21, 52, 3)),
    "AV1": ("libsvtav1", {"preset": "4", "svtav1-params": "lp=1"}, range(27, 64, 4)),
}


@dataclass(frozen=True)
class Point:
    """All cameras at one constant rate factor: bytes together, mean PSNR in dB."""

    crf: int
    bytes: int
    psnr: float


def curve(cameras: Sequence[np.ndarray], fps: Fraction, every: int, name: str) -> list[Point]:
    """One codec's points, from the best to the worst; PSNR of every ``every``-th frame.

    A camera is (frame, height, width, 3), uint8; memory holds one camera's pictures twice.
    """
    library, options, factors = CODECS[name]
    points = []
    for crf in factors:
        size, scores = 0, []
        for pictures in cameras:
            with _priority_kept():
                taken, decoded = _encode(pictures, fps, library, {**options, "crf": str(crf)})
            size += taken
            scores += [psnr(decoded[frame], pictures[frame]) for frame in range(0, len(pictures), every)]
        points.append(Point(crf, size, float(np.mean(scores))))
        print(f"{name} crf {crf}: {points[-1].bytes} bytes, {points[-1].psnr:.2f} dB", flush=True)
    return points


def bytes_at(points: Sequence[Point], wanted: float) -> str:
    """Bytes at a mean PSNR, in words: outside of what was encoded, the nearest there is."""
    ordered = sorted(points, key=lambda point: point.psnr)
    least, most = ordered[0], ordered[-1]
    if wanted < least.psnr:
        return f"{least.bytes:,} at {least.psnr:.2f} dB"
    if wanted > most.psnr:
        return f"more than {most.bytes:,}"
    logs = np.interp(wanted, [p.psnr for p in ordered], [math.log(p.bytes) for p in ordered])
    return f"{round(math.exp(float(logs))):,}"


def psnr(decoded: np.ndarray, truth: np.ndarray) -> float:
    """Of one picture, uint8, in dB."""
    error = np.square(decoded.astype(np.float64) - truth).mean() / 255**2
    return float(-10 * math.log10(max(error, 1e-10)))


@contextmanager
def _priority_kept() -> Iterator[None]:
    """SVT-AV1 gives a superuser's thread real-time priority for good; all that it starts would inherit it."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _encode(
    pictures: np.ndarray, fps: Fraction, library: str, options: dict[str, str]
) -> tuple[int, np.ndarray]:
    """Bytes of one camera's packets, and its pictures as decoded."""
    height, width = pictures.shape[1:3]
    # Half the chroma needs even sizes: an odd row or column is doubled, coded and cut off again.
    even = np.pad(pictures, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    file = io.BytesIO()
    size = 0
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(library, rate=fps, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = even.shape[2], even.shape[1], "yuv420p"
        tag_bt709(stream.codec_context)
        to_frame = RgbToFrame()
        for frame in [*map(to_frame, even), None]:
            for packet in stream.encode(frame):
                size += packet.size
                container.mux(packet)
    file.seek(0)
    to_rgb = FrameToRgb(library)
    with av.open(file, "r") as decoded:
        shown = np.stack([to_rgb(frame) for frame in decoded.decode(video=0)])
    return size, shown[:, :height, :width]
