"""The video baseline: every camera coded separately as H.265 or AV1, at a given mean PSNR.

Each camera is encoded at several constant rate factors with a slow preset. Bytes are the sum of the packets
of all cameras, without a container, which favours the videos. PSNR is measured as for a clip: on RGB, per
frame, then averaged. Between two factors, bytes are interpolated logarithmically.
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
    """All cameras at one constant rate factor: total bytes, mean PSNR in dB."""

    crf: int
    bytes: int
    psnr: float


def curve(cameras: Sequence[np.ndarray], fps: Fraction, every: int, name: str) -> list[Point]:
    """One codec's points, from the best to the worst; PSNR of every ``every``-th frame.

    A camera is (frame, height, width, 3), uint8; two copies of one camera's frames are in memory.
    """
    library, options, factors = CODECS[name]
    points = []
    for crf in factors:
        size, scores = 0, []
        for pictures in cameras:
            with _scheduling_restored():
                packet_bytes, decoded = _encode(pictures, fps, library, {**options, "crf": str(crf)})
            size += packet_bytes
            scores += [psnr(decoded[frame], pictures[frame]) for frame in range(0, len(pictures), every)]
        points.append(Point(crf, size, float(np.mean(scores))))
        print(f"{name} crf {crf}: {points[-1].bytes} bytes, {points[-1].psnr:.2f} dB", flush=True)
    return points


def bytes_at(points: Sequence[Point], target: float) -> str:
    """Bytes at a mean PSNR, as text; outside the measured range, the nearest point."""
    ordered = sorted(points, key=lambda point: point.psnr)
    least, most = ordered[0], ordered[-1]
    if target < least.psnr:
        return f"{least.bytes:,} at {least.psnr:.2f} dB"
    if target > most.psnr:
        return f"more than {most.bytes:,}"
    logs = np.interp(target, [p.psnr for p in ordered], [math.log(p.bytes) for p in ordered])
    return f"{round(math.exp(float(logs))):,}"


def psnr(decoded: np.ndarray, truth: np.ndarray) -> float:
    """PSNR of one uint8 frame in dB."""
    error = np.square(decoded.astype(np.float64) - truth).mean() / 255**2
    return float(-10 * math.log10(max(error, 1e-10)))


@contextmanager
def _scheduling_restored() -> Iterator[None]:
    """Restore the scheduling policy afterwards: SVT-AV1 gives root's thread real-time priority for good."""
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
    """Bytes of one camera's packets, and its decoded frames."""
    height, width = pictures.shape[1:3]
    # 4:2:0 needs even sizes: an odd row or column is duplicated before coding and cropped afterwards.
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
        frames = np.stack([to_rgb(frame) for frame in decoded.decode(video=0)])
    return size, frames[:, :height, :width]
