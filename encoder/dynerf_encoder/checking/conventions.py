"""Which convention the poses are really in: every way of reading them is tried on matched points.

A file holds a 3x3 matrix M and a vector t per camera. Readers take the columns of M as the camera's axes in
a certain order, and M as camera-to-world or world-to-camera. Here all 24 right-handed orders of axes are
tried in both directions; the reading that explains most matches is the true one, when it is clearly better.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from jaxtyping import Float

from dynerf_decoder.cameras.conventions import FLIP_YZ

from .matched_rays import MatchedRays, RigPoses, agreeing

_LLFF = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
AXES = {
    "OpenGL (right, up, backwards)": np.eye(3),
    "OpenCV and COLMAP (right, down, forwards)": FLIP_YZ,
    "LLFF (down, right, backwards)": _LLFF,
}
"""By name: the matrix C with M C = [right, up, backwards]."""

_WORLD_TO_CAMERA = ("colmap", "easyvolcap", "immersive", "panoptic", "dynamic-3d-gaussians")
_AXES_OF = {"n3v": "LLFF (down, right, backwards)"} | dict.fromkeys(
    _WORLD_TO_CAMERA, "OpenCV and COLMAP (right, down, forwards)"
)
_LEAST_SHARE, _LEAST_GAIN = 0.5, 1.5  # of all matches; over the poses as read


@dataclass(frozen=True, eq=False)
class PoseReading:
    """One way of reading the poses: the axes of their matrices, the direction, and the poses that result."""

    axes: str
    inverted: bool
    poses: RigPoses
    as_read: bool = False


@dataclass(frozen=True, eq=False)
class Convention:
    """The reading that matches, the share of matches it explains, and that of the poses as read."""

    reading: PoseReading
    share: float
    share_as_read: float
    layout: str

    def __str__(self) -> str:
        return (
            f"{described(self.reading, self.layout)} (read so they explain {self.share:.0%} of matched "
            f"points, as they are {self.share_as_read:.0%})"
        )


def described(reading: PoseReading, layout: str) -> str:
    """What the poses are, and what the layout expects."""
    expected = axes_of(layout)
    stated, other = "camera-to-world", "world-to-camera"
    if layout in _WORLD_TO_CAMERA:
        stated, other = other, stated
    found, instead = f"the axes of {reading.axes}", expected
    if reading.inverted:
        found, instead = f"{other} matrices with {found}", f"{stated} with those of {expected}"
    return f"all poses are in another convention: {found}, expected {instead}"


def axes_of(layout: str) -> str:
    """The axes that a layout's matrices have, a name of ``AXES``."""
    return _AXES_OF.get(layout, "OpenGL (right, up, backwards)")


def find_convention(rays: MatchedRays, poses: RigPoses, layout: str) -> Convention | None:
    """The convention that the poses are in, None unless it is clearly another than the layout's."""
    if not len(rays.pair):
        return None
    as_read = float(agreeing(rays, poses).mean())
    share, reading = max(
        ((float(agreeing(rays, found.poses).mean()), found) for found in readings(poses, layout)),
        key=lambda scored: (scored[0], scored[1].as_read),
    )
    if reading.as_read or share < max(_LEAST_SHARE, _LEAST_GAIN * as_read):
        return None
    return Convention(reading, share, as_read, layout)


def readings(poses: RigPoses, layout: str) -> Iterator[PoseReading]:
    """All ways of reading the matrices that a layout gave as ``poses``."""
    expected = AXES[axes_of(layout)]
    world_from_camera = np.swapaxes(poses.rotations, 1, 2) @ FLIP_YZ  # OpenGL's axes
    stored = world_from_camera @ expected.T
    back = np.swapaxes(stored, 1, 2)
    moved = -np.einsum("cij,cj->ci", back, poses.centres)
    for name, order in _orders():
        as_read = bool(np.array_equal(order, expected))
        yield PoseReading(name, False, _opencv(stored @ order, poses.centres), as_read)
        # A transposed matrix holds the axes in its rows.
        yield PoseReading(name, True, _opencv(back @ order, moved))


def _opencv(matrices: Float[np.ndarray, "n 3 3"], centres: Float[np.ndarray, "n 3"]) -> RigPoses:
    return RigPoses(np.swapaxes(matrices @ FLIP_YZ, 1, 2), centres)


def _orders() -> Iterator[tuple[str, Float[np.ndarray, "3 3"]]]:
    """The 24 right-handed orders of axes, with their names."""
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        matrix = np.zeros((3, 3))
        matrix[order, range(3)] = signs
        if np.linalg.det(matrix) > 0:
            named = [name for name, known in AXES.items() if np.array_equal(known, matrix)]
            yield (named[0] if named else _described(matrix)), matrix


def _described(matrix: Float[np.ndarray, "3 3"]) -> str:
    """The columns of M by direction."""
    words = (("right", "left"), ("up", "down"), ("backwards", "forwards"))
    columns = []
    for row in matrix:  # row i of C: which of [right, up, backwards] column i of M is
        axis = int(np.abs(row).argmax())
        columns.append(words[axis][int(row[axis] < 0)])
    return f"({', '.join(columns)})"
