"""The convention of poses, from matches of a synthetic ring and from motion."""

from collections.abc import Callable

import numpy as np
import pytest

from dynerf_encoder.captures.lens import Lens
from dynerf_encoder.checking.conventions import find_convention, readings
from dynerf_encoder.checking.matched_rays import RigPoses, matched_rays
from dynerf_encoder.checking.motion_convention import convention_by_motion
from support.blobs import FOCAL, HEIGHT, WIDTH, blob_views, ring_pose
from support.rigs import LENS, matches_of, ring_solution

_RIG = ring_solution(7, points=50, noise=0.2)
_RAYS = matched_rays(_RIG.names, dict.fromkeys(_RIG.names, LENS), matches_of(_RIG))
_TO_OPENGL = np.diag([1.0, -1.0, -1.0])


def _read(layout: str, file: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> RigPoses:
    """The poses that a reader of a layout makes of a file which was written in another convention.

    ``file`` writes matrices and vectors from the true rotations (world to camera, OpenCV's axes) and centres.
    """
    true = RigPoses.of(_RIG.poses)
    matrices, vectors = file(true.rotations, true.centres)
    if layout == "colmap":  # expects world-to-camera with OpenCV's axes
        return RigPoses(matrices, -np.einsum("cji,cj->ci", matrices, vectors))
    return RigPoses(np.swapaxes(matrices @ _TO_OPENGL, 1, 2), vectors)  # camera-to-world with OpenGL's axes


def _camera_to_world_opencv(rotations: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.swapaxes(rotations, 1, 2), centres


def _camera_to_world_opengl(rotations: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.swapaxes(rotations, 1, 2) @ _TO_OPENGL, centres


def _world_to_camera_opencv(rotations: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rotations, -np.einsum("cij,cj->ci", rotations, centres)


_OPENCV = "the axes of OpenCV and COLMAP (right, down, forwards)"
_OPENGL = "the axes of OpenGL (right, up, backwards)"
_FROM_CAMERA, _TO_CAMERA = "camera-to-world", "world-to-camera"


@pytest.mark.parametrize(
    ("layout", "file", "message"),
    [
        ("nerfstudio", _camera_to_world_opencv, f"{_OPENCV}, expected OpenGL (right, up, backwards)"),
        (
            "nerfstudio", _world_to_camera_opencv,
            f"{_TO_CAMERA} matrices with {_OPENCV}, expected {_FROM_CAMERA} with those of OpenGL",
        ),
        (
            "colmap", _camera_to_world_opencv,
            f"{_FROM_CAMERA} matrices with {_OPENCV}, expected {_TO_CAMERA} with those of OpenCV",
        ),
        (
            "colmap", _camera_to_world_opengl,
            f"{_FROM_CAMERA} matrices with {_OPENGL}, expected {_TO_CAMERA} with those of OpenCV",
        ),
    ],
)  # fmt: skip
def test_the_convention_is_named_as_the_layout_would_have_it(
    layout: str, file: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]], message: str
) -> None:
    found = find_convention(_RAYS, _read(layout, file), layout)
    assert found is not None
    assert message in str(found)
    corrected, true = found.reading.poses, RigPoses.of(_RIG.poses)
    assert corrected.rotations == pytest.approx(true.rotations)
    assert corrected.centres == pytest.approx(true.centres)


@pytest.mark.parametrize("layout", ["nerfstudio", "n3v", "colmap"])
def test_right_poses_are_in_the_layouts_convention(layout: str) -> None:
    assert find_convention(_RAYS, RigPoses.of(_RIG.poses), layout) is None
    as_read = [reading for reading in readings(RigPoses.of(_RIG.poses), layout) if reading.as_read]
    assert len(as_read) == 1
    assert as_read[0].poses.rotations == pytest.approx(RigPoses.of(_RIG.poses).rotations)


def test_all_48_readings_are_tried() -> None:
    found = [reading.poses.rotations[0] for reading in readings(RigPoses.of(_RIG.poses), "n3v")]
    assert len(found) == 48
    assert np.linalg.det(np.stack(found)) == pytest.approx(np.ones(48))


def test_motion_shows_the_convention_without_matches() -> None:
    views = blob_views(5, 40, [0] * 5)
    names = tuple(f"cam{index}" for index in range(5))
    pictures = {name: view.pictures for name, view in zip(names, views, strict=True)}
    lenses = dict.fromkeys(names, Lens(WIDTH, HEIGHT, FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2))
    true = RigPoses.of([ring_pose(index, 5) for index in range(5)])
    assert convention_by_motion(names, pictures, lenses, true, "nerfstudio") == []
    stored = np.swapaxes(true.rotations, 1, 2)  # OpenCV's axes, read as OpenGL's
    wrong = RigPoses(np.swapaxes(stored @ _TO_OPENGL, 1, 2), true.centres)
    (finding,) = convention_by_motion(names, pictures, lenses, wrong, "nerfstudio")
    assert finding.kind == "convention" and finding.severity == "fatal"
    assert "the axes of OpenCV and COLMAP" in finding.message
