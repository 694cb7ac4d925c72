"""A scene of moving blobs before a static background, seen by cameras on a ring, in numpy alone."""

from collections.abc import Sequence

import numpy as np

from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.synchronisation.motion import MovingView
from dynerf_encoder.captures.lens import Lens

WIDTH, HEIGHT, FOCAL = 64, 48, 60.0
NAMES = tuple(f"cam{index:02d}" for index in range(6))
_BLOBS = 6


def ring_pose(index: int, count: int, radius: float = 4.0) -> Pose:
    """A camera on a ring that looks at the origin; y is down in camera space and up in the world."""
    angle = 2 * np.pi * index / count
    centre = np.array([radius * np.sin(angle), 0.6 * (index % 3), radius * np.cos(angle)])
    forward = -centre / np.linalg.norm(centre)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    return Pose(np.stack([right, np.cross(forward, right), forward]), centre)


def blob_views(cameras: int, frames: int, starts: Sequence[int], seed: int = 0) -> list[MovingView]:
    """Views of ``frames`` instants of which camera i shows those from ``starts[i]`` on."""
    generator = np.random.default_rng(seed)
    steps = generator.standard_normal((frames, _BLOBS, 3)) * 0.25
    paths = np.clip(np.cumsum(steps, axis=0) * 0.5, -1, 1)
    lens = Lens(WIDTH, HEIGHT, FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2)
    columns, rows = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    places = np.column_stack([columns.ravel(), rows.ravel()])
    views = []
    for index in range(cameras):
        pose = ring_pose(index, cameras)
        background = generator.integers(60, 120, (HEIGHT, WIDTH))
        pictures = np.stack(
            [_picture(lens, pose, paths[frame], background) for frame in range(starts[index], frames)]
        )
        views.append(MovingView(pictures, pose.centre, lens.directions(places) @ pose.rotation))
    return views


def _picture(lens: Lens, pose: Pose, blobs: np.ndarray, background: np.ndarray) -> np.ndarray:
    picture = background.astype(np.float64)
    columns, rows = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    for (u, v), depth in zip(
        lens.project((blobs - pose.centre) @ pose.rotation.T)[0],
        (blobs - pose.centre) @ pose.forward,
        strict=True,
    ):
        radius = 0.25 * FOCAL / depth
        picture += 90 * np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * radius**2))
    return np.clip(picture, 0, 255).astype(np.uint8)


def blob_pictures(starts: list[int] | None = None, frames: int = 40) -> dict[str, np.ndarray]:
    """Moving blobs before a different background in each of the cameras ``NAMES``."""
    views = blob_views(len(NAMES), frames, starts or [0] * len(NAMES))
    return {name: view.pictures.copy() for name, view in zip(NAMES, views, strict=True)}
