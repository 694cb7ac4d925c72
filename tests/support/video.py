"""Generates tiny videos and captures, and runs child processes with resource limits."""

import os
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from dynerf_decoder.video.colour import RgbToFrame, tag_bt709

ROOT = Path(__file__).resolve().parents[2]


def flat_pictures(frames: int, width: int = 32, height: int = 24, offset: int = 0) -> np.ndarray:
    """Uniformly grey pictures, 4 levels apart per frame, so that a decoded frame's number can be read off."""
    levels = (offset + 16 + 4 * np.arange(frames)) % 240
    return np.broadcast_to(levels[:, None, None, None], (frames, height, width, 3)).astype(np.uint8)


def noisy_pictures(frames: int, width: int, height: int, seed: int = 0) -> np.ndarray:
    """Coarse random blocks: enough detail for bytes in the file, few enough to encode fast."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (frames, -(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]


def write_video(
    path: Path,
    pictures: np.ndarray | Sequence[np.ndarray],
    *,
    fps: Fraction | int = 30,
    times: Sequence[int] | None = None,
    tagged: bool = True,
    container: str = "mp4",
    movflags: str = "+faststart",
    pixel_format: str = "yuv420p",
    transfer: int | None = None,
    aspect: Fraction | None = None,
    unit: Fraction | None = None,
    coding: dict[str, str] | None = None,
    codec: str = "libx264",
    metadata: dict[str, str] | None = None,
) -> Path:
    """Encode pictures (frame, height, width, 3) losslessly with H.264.

    ``times`` are in units of ``unit`` seconds (default: frames), ``coding`` are further encoder options.
    """
    unit = unit or 1 / Fraction(fps)
    to_frame = RgbToFrame(pixel_format)
    options = {"movflags": movflags} if container in ("mp4", "mov") else {}
    with av.open(str(path), "w", format=container, options=options) as out:
        lossless = {"qp": "0", "preset": "ultrafast", "g": "6"} if codec == "libx264" else {}
        stream = out.add_stream(codec, rate=fps, options={**lossless, **(coding or {})})
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.time_base = unit
        stream.codec_context.time_base = unit
        stream.metadata.update(metadata or {})
        if aspect is not None:
            stream.sample_aspect_ratio = aspect
        if tagged:
            tag_bt709(stream.codec_context)
        if transfer is not None:
            stream.codec_context.color_trc = transfer
        for index, picture in enumerate(pictures):
            frame = to_frame(picture)
            if not tagged:
                frame.colorspace, frame.color_range = 2, 0
                frame.color_primaries, frame.color_trc = 2, 2
            frame.pts = index if times is None else times[index]
            frame.time_base = unit
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def pose_row(
    camera_to_world: np.ndarray, height: float, width: float, focal: float, near: float, far: float
) -> np.ndarray:
    """A row of poses_bounds.npy from an OpenGL pose [right, up, backwards | centre]."""
    right, up, backwards, centre = camera_to_world.T
    intrinsics = np.array([height, width, focal])
    return np.append(np.stack([-up, right, backwards, centre, intrinsics], axis=1).reshape(-1), [near, far])


def example_pose(index: int) -> np.ndarray:
    """A camera rotated about the vertical axis, to the right of the previous one."""
    angle = 0.1 * index
    right = [np.cos(angle), 0, np.sin(angle)]
    backwards = [-np.sin(angle), 0, np.cos(angle)]
    return np.stack([right, [0, 1, 0], backwards, [0.5 * index, 0.25, 3.0]], axis=1)


def example_rows(cameras: int, width: int = 32, height: int = 24) -> np.ndarray:
    """The pose file's rows for ``cameras`` example cameras."""
    return np.stack(
        [pose_row(example_pose(i), height, width, 1.25 * width, 0.5, 8.0) for i in range(cameras)]
    )


def write_capture(
    folder: Path,
    *,
    names: Sequence[str] = ("cam00", "cam02", "cam05"),
    frames: int = 6,
    width: int = 32,
    height: int = 24,
) -> Path:
    """A capture in N3V layout; camera i shows greys that start 40 * i levels higher."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        write_video(folder / f"{name}.mp4", flat_pictures(frames, width, height, 40 * index))
    np.save(folder / "poses_bounds.npy", example_rows(len(names), width, height))
    return folder


def run_child(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new process, for resource limits that cannot be raised again."""
    folders = [str(ROOT / folder) for folder in ("encoder", "decoder", "format", ".", "tests")]
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
