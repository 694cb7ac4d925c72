"""What a user has today: every camera's video coded by itself, as H.265 or AV1, at a given mean PSNR.

Each camera is encoded at several constant rate factors with a preset that spends time for size. Bytes are the
sum of the packets of all cameras, without a container, which favours the videos. PSNR is measured as that of
a clip: on RGB, per picture, then averaged. Between two factors, bytes are interpolated in their logarithm.
"""

import io
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from dynerf_decoder.colour import FrameToRgb, RgbToFrame, tag_bt709
from dynerf_encoder.captures.video import decode, probe

CODECS = {
    "H.265": ("libx265", {"preset": "slow", "x265-params": "log-level=error:pools=none"}, range(22, 50, 3)),
    "AV1": ("libsvtav1", {"preset": "4", "svtav1-params": "lp=1"}, range(26, 64, 4)),
}


@dataclass(frozen=True)
class Point:
    """All cameras at one constant rate factor: bytes together, mean PSNR in dB."""

    crf: int
    bytes: int
    psnr: float


def curve(videos: list[Path], frames: int, every: int, name: str) -> list[Point]:
    """One codec's points, from the best to the worst; PSNR of every ``every``-th frame."""
    library, options, factors = CODECS[name]
    cameras = [(np.stack(list(decode(path, range(frames)))), probe(path).fps) for path in videos]
    points = []
    for crf in factors:
        done = [_encode(pictures, fps, library, {**options, "crf": str(crf)}) for pictures, fps in cameras]
        scores = [
            psnr(decoded[frame], pictures[frame])
            for (pictures, _), (_, decoded) in zip(cameras, done, strict=True)
            for frame in range(0, frames, every)
        ]
        points.append(Point(crf, sum(size for size, _ in done), float(np.mean(scores))))
        print(f"{name} crf {crf}: {points[-1].bytes} bytes, {points[-1].psnr:.2f} dB", flush=True)
    return points


def bytes_at(points: list[Point], wanted: float) -> int | None:
    """Bytes at a mean PSNR; None outside of what was encoded."""
    ordered = sorted(points, key=lambda point: point.psnr)
    if not ordered[0].psnr <= wanted <= ordered[-1].psnr:
        return None
    logs = np.interp(wanted, [p.psnr for p in ordered], [math.log(p.bytes) for p in ordered])
    return round(math.exp(float(logs)))


def psnr(decoded: np.ndarray, truth: np.ndarray) -> float:
    """Of one picture, uint8, in dB."""
    error = np.square(decoded.astype(np.float64) - truth).mean() / 255**2
    return float(-10 * math.log10(max(error, 1e-10)))


def _encode(
    pictures: np.ndarray, fps: Fraction, library: str, options: dict[str, str]
) -> tuple[int, np.ndarray]:
    """Bytes of one camera's packets, and its pictures as decoded."""
    file = io.BytesIO()
    size = 0
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(library, rate=fps, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = pictures.shape[2], pictures.shape[1], "yuv420p"
        tag_bt709(stream.codec_context)
        to_frame = RgbToFrame()
        for frame in [*map(to_frame, pictures), None]:
            for packet in stream.encode(frame):
                size += packet.size
                container.mux(packet)
    file.seek(0)
    to_rgb = FrameToRgb(library)
    with av.open(file, "r") as decoded:
        return size, np.stack([to_rgb(frame) for frame in decoded.decode(video=0)])
