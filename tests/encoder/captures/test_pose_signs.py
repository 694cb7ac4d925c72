"""Poses in another convention are detected from the cameras alone, without false alarms; the docs convert."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from dynerf_decoder.cameras.camera import Camera
from dynerf_encoder.captures.pose_signs import warn_of_convention
from dynerf_encoder.captures.poses import StoredPose, read_poses
from support.lenses import cameras_of
from support.video import ROOT

_CANDLE = ROOT / "samples/candle"
_BASKETBALL = os.environ.get("DYNERF_BASKETBALL")


def _rows(folder: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    return np.load(folder / "poses_bounds.npy"), tuple(sorted(path.stem for path in folder.glob("cam*.mp4")))


def _warning(poses: Sequence[StoredPose]) -> str | None:
    return warn_of_convention(cameras_of(poses), [pose.near for pose in poses], [pose.far for pose in poses])


def _read_changed(
    folder: Path, change: Callable[[np.ndarray], np.ndarray], to: Path
) -> tuple[StoredPose, ...]:
    """The poses of a folder, each 3x4 matrix [down, right, backwards | centre] changed."""
    rows, names = _rows(folder)
    for row in rows:
        matrix = row[:15].reshape(3, 5)
        matrix[:, :4] = change(matrix[:, :4].copy())
        row[:15] = matrix.ravel()
    np.save(to / "poses_bounds.npy", rows)
    return read_poses(to / "poses_bounds.npy", names)


def _opencv(pose: np.ndarray) -> np.ndarray:
    down, right, back, centre = pose.T
    return np.column_stack([right, down, -back, centre])


def _opengl(pose: np.ndarray) -> np.ndarray:
    down, right, back, centre = pose.T
    return np.column_stack([right, -down, back, centre])


def _inverted(pose: np.ndarray) -> np.ndarray:
    return np.column_stack([pose[:, :3].T, -pose[:, :3].T @ pose[:, 3]])


def _look(origin: ArrayLike, backwards: ArrayLike, roll: float = 0.0) -> Camera:
    """A camera whose up axis is the world's z, apart from a roll in degrees."""
    back = np.asarray(backwards, np.float64) / np.linalg.norm(backwards)
    right = np.cross([0.0, 0, 1], back)
    right /= np.linalg.norm(right)
    up = np.cross(back, right)
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    pose = np.stack([c * right + s * up, c * up - s * right, back, np.asarray(origin)], axis=1)
    return Camera("a", 160, 120, 150.0, 150.0, 80.0, 60.0, pose)


def _ring(radius: float, *, outward: bool = False, roll: float = 0.0, degrees: float = 360) -> list[Camera]:
    cameras = []
    for angle in np.linspace(0, np.radians(degrees), 12, endpoint=degrees < 360):
        origin = np.array([radius * np.cos(angle), radius * np.sin(angle), 0.2 * np.sin(3 * angle)])
        cameras.append(_look(origin, -origin if outward else origin, roll))
    return cameras


def _warning_of(cameras: Sequence[Camera]) -> str | None:
    return warn_of_convention(cameras, [1.0] * len(cameras), [8.0] * len(cameras))


def _misread(camera: Camera) -> Camera:
    """The camera whose pose in OpenCV's axes is read as the layout's."""
    right, up, back, origin = camera.camera_to_world.T
    pose = np.stack([-up, -right, -back, origin], axis=1)
    return Camera("a", 160, 120, 150.0, 150.0, 80.0, 60.0, pose)


def _arc(half_angle: float, count: int, height: float, *, outward: bool = False) -> list[Camera]:
    """Cameras on an arc of twice ``half_angle`` degrees that look at a point ``height`` below, or away."""
    back = [
        np.array([np.cos(angle), np.sin(angle), height / 3])
        for angle in np.radians(np.linspace(-half_angle, half_angle, count))
    ]
    return [_look(3 * axis, -axis if outward else axis) for axis in back]


@settings(max_examples=200, deadline=None)
@given(half_angle=st.floats(5, 180), count=st.integers(4, 20), height=st.floats(-1.5, 1.5))
def test_arcs_of_all_angles_give_a_warning_only_with_opencvs_axes(
    half_angle: float, count: int, height: float
) -> None:
    cameras = _arc(half_angle, count, height)
    assert _warning_of(cameras) is None
    assert _warning_of([_misread(camera) for camera in cameras]) is not None


@settings(max_examples=50, deadline=None)
@given(half_angle=st.floats(150, 180), count=st.integers(6, 20), height=st.floats(-0.5, 0.5))
def test_panoramas_give_no_warning(half_angle: float, count: int, height: float) -> None:
    assert _warning_of(_arc(half_angle, count, height, outward=True)) is None


def test_candle_unchanged_gives_no_warning(tmp_path: Path) -> None:
    assert _warning(_read_changed(_CANDLE, lambda pose: pose, tmp_path)) is None


def test_axes_that_meet_behind_the_cameras_are_reported_with_causes_and_remedy(tmp_path: Path) -> None:
    warning = _warning(_read_changed(_CANDLE, _opencv, tmp_path))
    assert warning is not None
    assert "13 of 13 cameras look away from where their axes meet" in warning
    for word in (
        "OpenCV",
        "COLMAP",
        "OpenGL",
        "world-to-camera",
        "down, right, backwards",
        "docs/how-to/poses.md",
    ):
        assert word in warning
    assert "\n" not in warning


@pytest.mark.skipif(_BASKETBALL is None, reason="DYNERF_BASKETBALL names no folder with the capture")
def test_basketball_gives_a_warning_only_with_other_axes(tmp_path: Path) -> None:
    folder = Path(_BASKETBALL or "")
    assert _warning(_read_changed(folder, lambda pose: pose, tmp_path)) is None
    assert "behind" in (_warning(_read_changed(folder, _opencv, tmp_path)) or "")
    assert "on their side" in (_warning(_read_changed(folder, _opengl, tmp_path)) or "")


def test_a_ring_on_its_side_is_reported() -> None:
    assert "all cameras are on their side" in (_warning_of(_ring(3.0, roll=90)) or "")
    assert "all cameras are on their side" in (_warning_of(_ring(3.0, roll=-90)) or "")


@pytest.mark.parametrize(
    "cameras",
    [
        pytest.param(_ring(3.0), id="inward"),
        pytest.param(_ring(3.0, roll=180), id="inward, upside down"),
        pytest.param(_ring(3.0, outward=True), id="outward panorama"),
        pytest.param(_ring(0.3, outward=True, degrees=60), id="fan around a point nearer than it sees"),
        pytest.param(_ring(3.0, degrees=60), id="arc"),
        pytest.param([_look([x, 0, 0.1 * x * x], [0, -1, 0]) for x in (0.0, 1, 2)], id="parallel"),
        pytest.param([_look([x, 0, 0], [0, -1, 0], 90) for x in (0.0, 1, 2)], id="parallel, on their side"),
        pytest.param([_look([0.0, 0, 0], [0, -1, 0])] * 2, id="at one point"),
        pytest.param(
            [
                _look([x, y, 3], [0.01 + 0.2 * x, 0.2 * y, 1], 70 * x + 110 * y)
                for x in (-1, 1)
                for y in (-1, 1)
            ],
            id="from the ceiling, rolled arbitrarily",
        ),
    ],
)
def test_common_rigs_give_no_warning(cameras: list[Camera]) -> None:
    assert _warning_of(cameras) is None


@pytest.mark.parametrize("seed", range(40))
def test_carelessly_aimed_cameras_side_by_side_give_no_warning(seed: int) -> None:
    rng = np.random.default_rng(seed)
    origins = [[*rng.uniform(-1, 1, 2), 0.1 * rng.normal()] for _ in range(5 + seed % 10)]
    assert (
        _warning_of([_look([x, z, y], [0.06 * rng.normal(), -1, 0.06 * rng.normal()]) for x, y, z in origins])
        is None
    )


def _conversions() -> dict[str, str]:
    """The docs' lines of NumPy that convert a pose, by the convention in the line above."""
    text = (ROOT / "docs/how-to/poses.md").read_text()
    return dict(re.findall(r"\n([^\n]+):\n\n```python\n(pose = .+)\n```", text))


@pytest.mark.parametrize("name", _conversions())
def test_each_line_of_numpy_in_the_docs_converts_to_the_layouts_poses(name: str) -> None:
    rows, _ = _rows(_CANDLE)
    assert len(_conversions()) == 4
    for row in rows:
        expected = row[:15].reshape(3, 5)[:, :4]
        other = _opencv(expected) if "OpenCV" in name else _opengl(expected)
        if "World-to-camera" in name:
            other = _inverted(other)
        found: dict[str, np.ndarray] = {"R": other[:, :3], "t": other[:, 3]}
        exec(_conversions()[name], {"np": np}, found)
        np.testing.assert_allclose(found["pose"], expected, atol=1e-12)
