"""Matched points of all pairs as rays, and how well they agree with given poses: all pairs at once.

Rays are in camera space with OpenCV's axes, divided by their depth: (x/z, y/z, 1). Residuals are Sampson
distances (``calibration.pairs.epipolar``) in pixels. A match agrees with two poses when its residual is below
the limit of its pair and the point lies in front of both cameras.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.pairs.votes import PooledMatches
from dynerf_encoder.captures.lens import Lens

LIMIT_PIXELS, LIMIT_SHARE = 1.0, 0.003  # of a residual: the larger of both; the share is of the longer side
_MOST_MATCHES = 100  # of a pair: more cost time and say the same
_LEAST_DEPTH = 1e-6
_SEED = 0  # of the choice among more


@dataclass(frozen=True, eq=False)
class MatchedRays:
    """``pairs`` are indices of cameras; match k is of ``pairs[pair[k]]``, with rays ``first`` and ``second``.

    ``focal`` and ``limit`` (of residuals that agree) are in pixels.
    """

    names: tuple[str, ...]
    pairs: Int[np.ndarray, "pair 2"]
    pair: Int[np.ndarray, " k"]
    first: Float[np.ndarray, "k 3"]
    second: Float[np.ndarray, "k 3"]
    focal: Float[np.ndarray, " camera"]
    limit: Float[np.ndarray, " camera"]

    @property
    def cameras(self) -> Int[np.ndarray, "k 2"]:
        """Both cameras of every match."""
        return np.asarray(self.pairs[self.pair])

    def of_cameras(self, cameras: Sequence[int]) -> Bool[np.ndarray, " k"]:
        """Which matches are of any of the cameras (indices)."""
        return np.asarray(np.isin(self.cameras, list(cameras)).any(axis=1))

    def of(self, kept: Bool[np.ndarray, " k"]) -> "MatchedRays":
        """Some of the matches."""
        return replace(self, pair=self.pair[kept], first=self.first[kept], second=self.second[kept])


@dataclass(frozen=True, eq=False)
class RigPoses:
    """The poses of all cameras: world to camera rotations with OpenCV's axes, and centres."""

    rotations: Float[np.ndarray, "camera 3 3"]
    centres: Float[np.ndarray, "camera 3"]

    @classmethod
    def of(cls, poses: Sequence[Pose]) -> "RigPoses":
        """From single poses, in order."""
        return cls(np.stack([pose.rotation for pose in poses]), np.stack([pose.centre for pose in poses]))

    def replaced(
        self, camera: int, rotation: Float[np.ndarray, "3 3"], centre: Float[np.ndarray, "3"]
    ) -> "RigPoses":
        """With another pose of one camera."""
        rotations, centres = self.rotations.copy(), self.centres.copy()
        rotations[camera], centres[camera] = rotation, centre
        return RigPoses(rotations, centres)


def matched_rays(names: Sequence[str], lenses: Mapping[str, Lens], matches: PooledMatches) -> MatchedRays:
    """The matches of all pairs as rays; of pairs with very many matches, a sample."""
    generator = np.random.default_rng(_SEED)
    index = {name: number for number, name in enumerate(names)}
    pairs: list[tuple[int, int]] = []
    owner, firsts, seconds = [], [], []
    for pair in matches.pairs:
        rays = [
            lenses[name].directions(places) for name, places in zip(pair, matches.matched(pair), strict=True)
        ]
        usable = np.flatnonzero((rays[0][:, 2] > _LEAST_DEPTH) & (rays[1][:, 2] > _LEAST_DEPTH))
        if len(usable) > _MOST_MATCHES:
            usable = np.sort(generator.choice(usable, _MOST_MATCHES, replace=False))
        owner.append(np.full(len(usable), len(pairs)))
        pairs.append((index[pair[0]], index[pair[1]]))
        firsts.append(rays[0][usable] / rays[0][usable, 2:])
        seconds.append(rays[1][usable] / rays[1][usable, 2:])
    focal = np.array([np.sqrt(lenses[name].focal_x * lenses[name].focal_y) for name in names])
    sides = np.array([max(lenses[name].width, lenses[name].height) for name in names])
    return MatchedRays(
        tuple(names), np.array(pairs, np.int64).reshape(-1, 2),
        np.concatenate([*owner, np.zeros(0)]).astype(np.int64),
        np.concatenate([*firsts, np.zeros((0, 3))]), np.concatenate([*seconds, np.zeros((0, 3))]),
        focal, np.maximum(LIMIT_PIXELS, LIMIT_SHARE * sides),
    )  # fmt: skip


def residuals(
    rays: MatchedRays, poses: RigPoses, scale: float | Float[np.ndarray, " camera"] = 1.0
) -> Float[np.ndarray, " k"]:
    """Residuals in pixels of the first picture; focal lengths are multiplied by ``scale``."""
    scales = np.broadcast_to(scale, len(rays.names))
    one, two = rays.cameras.T
    matrix = _essential(rays, poses)[rays.pair]
    first, second = _scaled(rays.first, scales[one]), _scaled(rays.second, scales[two])
    line_b = np.einsum("kij,kj->ki", matrix, first)
    line_a = np.einsum("kij,ki->kj", matrix, second)
    value = np.abs((second * line_b).sum(axis=1))
    norm = (line_b[:, :2] ** 2).sum(axis=1) + (line_a[:, :2] ** 2).sum(axis=1)
    return np.asarray(rays.focal[one] * scales[one] * value / np.sqrt(np.maximum(norm, 1e-18)))


def in_front(
    rays: MatchedRays, poses: RigPoses, scale: float | Float[np.ndarray, " camera"] = 1.0
) -> Bool[np.ndarray, " k"]:
    """Whether the points nearest to both rays are in front of both cameras."""
    scales = np.broadcast_to(scale, len(rays.names))
    one, two = rays.cameras.T
    a = np.einsum("kji,kj->ki", poses.rotations[one], _scaled(rays.first, scales[one]))
    b = np.einsum("kji,kj->ki", poses.rotations[two], _scaled(rays.second, scales[two]))
    baseline = poses.centres[two] - poses.centres[one]
    aa, bb, ab = ((x * y).sum(axis=1) for x, y in ((a, a), (b, b), (a, b)))
    along_a, along_b = (a * baseline).sum(axis=1), (b * baseline).sum(axis=1)
    # Of the closest points o1 + s a and o2 + t b: s and t times the determinant aa bb - ab^2 > 0.
    return np.asarray((bb * along_a - ab * along_b > 0) & (ab * along_a - aa * along_b > 0))


def agreeing(
    rays: MatchedRays, poses: RigPoses, scale: float | Float[np.ndarray, " camera"] = 1.0
) -> Bool[np.ndarray, " k"]:
    """Which matches the poses explain."""
    limits = rays.limit[rays.cameras[:, 0]]
    return np.asarray((residuals(rays, poses, scale) < limits) & in_front(rays, poses, scale))


def _scaled(rays: Float[np.ndarray, "k 3"], scales: Float[np.ndarray, " k"]) -> Float[np.ndarray, "k 3"]:
    return np.asarray(np.column_stack([rays[:, :2] / scales[:, None], rays[:, 2]]))


def _essential(rays: MatchedRays, poses: RigPoses) -> Float[np.ndarray, "pair 3 3"]:
    """The essential matrix of every pair; the baseline has unit length."""
    one, two = rays.pairs.T
    rotation = np.einsum("pij,pkj->pik", poses.rotations[two], poses.rotations[one])
    baseline = np.einsum("pij,pj->pi", poses.rotations[two], poses.centres[one] - poses.centres[two])
    length = np.linalg.norm(baseline, axis=1, keepdims=True)
    x, y, z = (baseline / np.where(length > 0, length, 1.0)).T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    return np.asarray(cross @ rotation)
