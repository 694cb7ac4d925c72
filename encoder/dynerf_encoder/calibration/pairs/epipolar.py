"""Epipolar statistics: how well matched points of two pictures agree with two cameras.

Camera space has OpenCV's axes (x right, y down, z forwards); ``rotation`` and ``centre`` of a ``Pose`` map a
world point X to camera space by rotation (X - centre). Everything is in units of the focal length, on rays
without distortion, and scaled to pixels by the focal length at the end, so that cameras with different lenses
can be compared. Needs numpy only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dynerf_decoder.cameras.rotation import nearest_rotation
from dynerf_encoder.captures.lens import Lens

_ITERATIONS = 30  # of reweighted least squares
_NEAR_DEGREES = 3.0  # between rotations that agree
_LEAST_DEPTH = 1e-6  # of a ray against the optical axis (cosine): rays beside or behind the camera


@dataclass(frozen=True, eq=False)
class Pose:
    """A camera's pose: ``rotation`` world to camera (OpenCV's axes), ``centre`` in world units."""

    rotation: Float[np.ndarray, "3 3"]
    centre: Float[np.ndarray, "3"]

    @classmethod
    def of_camera_to_world(cls, matrix: Float[np.ndarray, "3 4"]) -> "Pose":
        """From a 3x4 matrix with OpenGL's axes (x right, y up, z backwards)."""
        return cls((matrix[:, :3] * [1.0, -1.0, -1.0]).T, matrix[:, 3].copy())

    @property
    def camera_to_world(self) -> Float[np.ndarray, "3 4"]:
        """The 3x4 matrix with OpenGL's axes."""
        return np.column_stack([self.rotation.T * [1.0, -1.0, -1.0], self.centre])

    @property
    def forward(self) -> Float[np.ndarray, "3"]:
        """The optical axis in world space."""
        return np.asarray(self.rotation[2])


@dataclass(frozen=True, eq=False)
class PairStatistic:
    """Agreement of one pair: matched points, the median epipolar residual, and the share that agrees.

    ``median`` is in pixels of the first camera's picture; ``inliers`` is the share of matches below the
    given limit that also lie in front of both cameras. NaN and 0 without any match.
    """

    first: str
    second: str
    matches: int
    median: float
    inliers: float


def essential(first: Pose, second: Pose) -> Float[np.ndarray, "3 3"]:
    """E with ``x2^T E x1 = 0`` for rays x1, x2 (camera space) of one point; the baseline has unit length."""
    rotation = second.rotation @ first.rotation.T
    x, y, z = second.rotation @ (first.centre - second.centre)
    norm = float(np.sqrt(x * x + y * y + z * z)) or 1.0
    return np.asarray(np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) / norm @ rotation)


def sampson(
    matrix: Float[np.ndarray, "3 3"], first: Float[np.ndarray, "n 3"], second: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " n"]:
    """First-order distance of matched rays from an essential matrix, in units of the focal length.

    Rays are divided by their depth: (x/z, y/z, 1). Hartley and Zisserman, Multiple View Geometry, eq. 11.9.
    """
    a, b = first / first[:, 2:], second / second[:, 2:]
    line_b, line_a = a @ matrix.T, b @ matrix
    value = (b * line_b).sum(axis=1)
    norm = line_b[:, 0] ** 2 + line_b[:, 1] ** 2 + line_a[:, 0] ** 2 + line_a[:, 1] ** 2
    return np.asarray(np.abs(value) / np.sqrt(np.maximum(norm, 1e-18)))


def residuals(
    lenses: tuple[Lens, Lens],
    poses: tuple[Pose, Pose],
    first: Float[np.ndarray, "n 2"],
    second: Float[np.ndarray, "n 2"],
) -> Float[np.ndarray, " n"]:
    """Epipolar residuals of matched picture positions in pixels; infinite for rays beside the camera."""
    rays = [lens.directions(points) for lens, points in zip(lenses, (first, second), strict=True)]
    usable = (rays[0][:, 2] > _LEAST_DEPTH) & (rays[1][:, 2] > _LEAST_DEPTH)
    found = np.full(len(first), np.inf)
    matrix = essential(*poses)
    focal = np.sqrt(lenses[0].focal_x * lenses[0].focal_y)
    found[usable] = focal * sampson(matrix, rays[0][usable], rays[1][usable])
    return found


def in_front(
    lenses: tuple[Lens, Lens],
    poses: tuple[Pose, Pose],
    first: Float[np.ndarray, "n 2"],
    second: Float[np.ndarray, "n 2"],
) -> Bool[np.ndarray, " n"]:
    """Whether the points nearest to both rays are in front of both cameras (the chirality test)."""
    rays = [
        lens.directions(points) @ pose.rotation
        for lens, pose, points in zip(lenses, poses, (first, second), strict=True)
    ]
    baseline = poses[1].centre - poses[0].centre
    cosine = (rays[0] * rays[1]).sum(axis=1)
    along = [ray @ baseline for ray in rays]
    # Of the closest points o1 + s r1, o2 + t r2: both s and t are positive (scaled by 1 - cosine^2 > 0).
    return np.asarray((along[0] - cosine * along[1] > 0) & (cosine * along[0] - along[1] > 0))


def pair_statistics(
    lenses: Mapping[str, Lens],
    poses: Mapping[str, Pose],
    matches: Mapping[tuple[str, str], tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]],
    limit: float,
) -> list[PairStatistic]:
    """Statistics of every pair of cameras with matched positions; ``limit`` in pixels."""
    found = []
    for (one, two), (first, second) in matches.items():
        if one not in poses or two not in poses:
            continue
        pair = (lenses[one], lenses[two]), (poses[one], poses[two])
        errors = residuals(*pair, first, second)
        good = (errors < limit) & in_front(*pair, first, second)
        median = float(np.median(errors)) if len(errors) else float("nan")
        found.append(PairStatistic(one, two, len(errors), median, float(good.mean()) if len(good) else 0.0))
    return found


def angles(rotations: Float[np.ndarray, "*n 3 3"]) -> Float[np.ndarray, "*n"]:
    """Rotation angles in degrees; exact for small ones."""
    off = np.linalg.norm(rotations - np.eye(3), axis=(-2, -1)) / np.sqrt(8)
    return np.asarray(np.degrees(2 * np.arcsin(np.clip(off, 0, 1))))


def similarity(
    source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"], rotation: Float[np.ndarray, "3 3"]
) -> tuple[float, Float[np.ndarray, "3"]]:
    """Scale s and shift t with ``target = s rotation source + t`` by least absolute deviations.

    The rotation is given, because that of a flat rig's centres alone is poorly determined.
    """
    turned = source @ rotation.T
    weights = np.ones(len(source))
    scale, shift = 1.0, np.zeros(3)
    for _ in range(_ITERATIONS):
        total = weights.sum()
        means = (
            (weights[:, None] * turned).sum(axis=0) / total,
            (weights[:, None] * target).sum(axis=0) / total,
        )
        across, along = turned - means[0], target - means[1]
        scale = float(
            (weights[:, None] * across * along).sum() / max((weights[:, None] * across**2).sum(), 1e-18)
        )
        shift = means[1] - scale * means[0]
        errors = np.linalg.norm(scale * turned + shift - target, axis=1)
        weights = 1 / np.maximum(errors, 1e-6 + 1e-3 * np.median(errors))
    return scale, np.asarray(shift)


def mean_rotation(
    rotations: Float[np.ndarray, "n 3 3"], weights: Sequence[float] | None = None
) -> Float[np.ndarray, "3 3"]:
    """The rotation that most of the given ones agree with (within 3 degrees of the one at their centre)."""
    distances = angles(np.einsum("aij,bkj->abik", rotations, rotations))
    near = distances <= _NEAR_DEGREES
    strength = near @ (np.ones(len(rotations)) if weights is None else np.asarray(weights))
    best = min(
        range(len(rotations)), key=lambda index: (-strength[index], float(np.median(distances[index])))
    )
    return nearest_rotation(rotations[near[best]].sum(axis=0))
