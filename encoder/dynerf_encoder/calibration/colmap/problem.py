"""The input of structure from motion, and its result, with their files (npz).

Camera space has OpenCV's axes; a world point X is at ``rotation (X - centre)``. Cameras of one group share
one lens.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.pairs.votes import PooledMatches
from dynerf_encoder.captures.lens import MODELS, Lens
from dynerf_format.io.atomic_write import atomic_path


@dataclass(frozen=True)
class LensGroup:
    """Cameras of one lens: COLMAP's model (SIMPLE_PINHOLE, SIMPLE_RADIAL, OPENCV, OPENCV_FISHEYE), size.

    ``focal`` is the first guess in pixels, and the value itself when ``known``.
    """

    model: str
    width: int
    height: int
    focal: float
    known: bool


@dataclass(frozen=True, eq=False)
class Problem:
    """Cameras with their group of lens, and pooled matches. ``mapper`` is incremental or global."""

    groups: tuple[LensGroup, ...]
    group: Mapping[str, int]
    matches: PooledMatches
    mapper: str
    seed: int

    @property
    def names(self) -> tuple[str, ...]:
        """The cameras, in order."""
        return tuple(self.group)

    def write(self, path: Path) -> None:
        """Write an npz file. Raises OutputError."""
        head = {
            "groups": [vars(group) for group in self.groups],
            "group": dict(self.group),
            "pairs": [list(pair) for pair in self.matches.pairs],
            "mapper": self.mapper,
            "seed": self.seed,
        }
        arrays = {f"positions{i}": self.matches.positions[name] for i, name in enumerate(self.names)}
        arrays |= {f"pair{i}": found for i, found in enumerate(self.matches.pairs.values())}
        write_arrays(path, head, arrays)

    @classmethod
    def read(cls, path: Path) -> "Problem":
        """Read what ``write`` has written."""
        head, arrays = read_arrays(path)
        positions = {name: arrays[f"positions{i}"] for i, name in enumerate(head["group"])}
        pairs = {(first, second): arrays[f"pair{i}"] for i, (first, second) in enumerate(head["pairs"])}
        groups = tuple(LensGroup(**group) for group in head["groups"])
        return cls(groups, head["group"], PooledMatches(positions, pairs), head["mapper"], head["seed"])


@dataclass(frozen=True, eq=False)
class Solution:
    """Poses and lenses of the registered cameras, and points with the observations that they were made of.

    Observation k is position ``seen_position[k]`` of camera ``names[seen_camera[k]]``, at ``seen[k]`` pixels,
    of point ``seen_point[k]``. ``verified`` is the number of matches that were given to the mapper.
    """

    names: tuple[str, ...]
    poses: tuple[Pose, ...]
    lenses: tuple[Lens, ...]
    points: Float[np.ndarray, "point 3"]
    seen_point: Int[np.ndarray, " k"]
    seen_camera: Int[np.ndarray, " k"]
    seen: Float[np.ndarray, "k 2"]
    verified: int

    def write(self, path: Path) -> None:
        """Write an npz file. Raises OutputError."""
        head = {
            "names": list(self.names),
            "lenses": [vars_of_lens(lens) for lens in self.lenses],
            "verified": self.verified,
        }
        arrays = {
            "rotations": np.array([pose.rotation for pose in self.poses]).reshape(-1, 3, 3),
            "centres": np.array([pose.centre for pose in self.poses]).reshape(-1, 3),
            "points": self.points,
            "seen_point": self.seen_point,
            "seen_camera": self.seen_camera,
            "seen": self.seen,
        }
        write_arrays(path, head, arrays)

    @classmethod
    def read(cls, path: Path) -> "Solution":
        """Read what ``write`` has written."""
        head, arrays = read_arrays(path)
        poses = tuple(Pose(r, c) for r, c in zip(arrays["rotations"], arrays["centres"], strict=True))
        lenses = tuple(
            Lens(**{**values, "distortion": tuple(values["distortion"])}) for values in head["lenses"]
        )
        return cls(
            tuple(head["names"]), poses, lenses, arrays["points"], arrays["seen_point"],
            arrays["seen_camera"], arrays["seen"], head["verified"],
        )  # fmt: skip

    def pose(self, name: str) -> Pose:
        """The pose of a registered camera."""
        return self.poses[self.names.index(name)]

    def reprojection(self) -> Float[np.ndarray, " k"]:
        """The distance of each observation from its projected point in pixels; infinite behind a camera."""
        found = np.full(len(self.seen), np.inf)
        for index, (pose, lens) in enumerate(zip(self.poses, self.lenses, strict=True)):
            mine = self.seen_camera == index
            points = (self.points[self.seen_point[mine]] - pose.centre) @ pose.rotation.T
            where, visible = lens.project(points)
            found[mine] = np.where(visible, np.linalg.norm(where - self.seen[mine], axis=1), np.inf)
        return found


_NONE = np.zeros(0, np.int64)
EMPTY = Solution((), (), (), np.zeros((0, 3)), _NONE, _NONE, np.zeros((0, 2)), 0)
"""The solution without a camera."""


def vars_of_lens(lens: Lens) -> dict[str, object]:
    """A lens's fields."""
    names = ("width", "height", "focal_x", "focal_y", "centre_x", "centre_y", "model", "distortion")
    return {name: getattr(lens, name) for name in names}


def lens_of_colmap(model: str, size: tuple[int, int], params: list[float]) -> Lens:
    """A lens from COLMAP's model and parameters."""
    if model.startswith("SIMPLE_") or model in ("RADIAL", "RADIAL_FISHEYE"):
        focal, centre, rest = (params[0], params[0]), params[1:3], params[3:]
    else:
        focal, centre, rest = (params[0], params[1]), params[2:4], params[4:]
    name = "PINHOLE" if model.endswith("PINHOLE") else model
    return Lens(*size, *focal, centre[0], centre[1], name, tuple(rest[: len(MODELS[name])]))


def write_arrays(path: Path, head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays with a JSON head as one npz file. Raises OutputError."""
    stored: dict[str, Any] = {"head": np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **stored)


def read_arrays(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what ``write_arrays`` has written."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return json.loads(arrays.pop("head").tobytes()), arrays
