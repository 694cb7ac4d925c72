"""Spoils a capture in the N3V layout in twelve ways, each of which ``dynerf check`` is to name.

``spoil`` writes a copy: poses are changed in ``poses_bounds.npy``, whose rows are a 3x5 matrix
[axes down, right, backwards | centre | height, width, focal length] and two depths; videos that change are
encoded again, all others are linked.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dynerf_encoder.captures.video import decode, probe
from support.video import write_video

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LATE = 3  # frames

Rows = np.ndarray
"""``poses_bounds.npy``: one row of 17 numbers per camera."""


@dataclass(frozen=True)
class Spoiled:
    """A case: what is done to the poses or the videos, and the finding that is expected.

    ``cameras`` are the indices of the cameras that the finding names; ``words`` are in its message.
    """

    kind: str
    cameras: tuple[int, ...]
    words: str
    poses: Callable[[Rows], Rows] | None = None
    videos: Callable[[list[Path]], None] | None = None


def spoil(source: Path, target: Path, case: Spoiled) -> Path:
    """Write a spoiled copy of the capture ``source`` as the new folder ``target``."""
    target.mkdir(parents=True)
    for video in sorted(source.glob("cam*.mp4")):
        os.link(video, target / video.name) if _same_disk(video, target) else shutil.copy(video, target)
    rows = np.load(source / "poses_bounds.npy")
    np.save(target / "poses_bounds.npy", rows if case.poses is None else case.poses(rows.copy()))
    if case.videos is not None:
        case.videos(sorted(target.glob("cam*.mp4")))
    return target


def _same_disk(video: Path, target: Path) -> bool:
    return video.stat().st_dev == target.stat().st_dev


def _axes(rows: Rows) -> np.ndarray:
    """The columns right, up, backwards of every camera."""
    down, right, backwards = np.moveaxis(rows[:, :15].reshape(-1, 3, 5)[:, :, :3], 2, 0)
    return np.stack([right, -down, backwards], axis=2)


def _with(rows: Rows, matrices: np.ndarray, centres: np.ndarray | None = None) -> Rows:
    """Rows with other stored matrices, and other centres."""
    poses = rows[:, :15].reshape(-1, 3, 5)
    poses[:, :, :3] = matrices
    if centres is not None:
        poses[:, :, 3] = centres
    return np.concatenate([poses.reshape(-1, 15), rows[:, 15:]], axis=1)


def _turned(camera: int, degrees: float) -> Callable[[Rows], Rows]:
    """One camera turned about an axis that is oblique to its own ones."""

    def change(rows: Rows) -> Rows:
        axis = np.array([2.0, 3.0, 1.0]) / np.sqrt(14)
        x, y, z = axis
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        angle = np.radians(degrees)
        turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        matrices = rows[:, :15].reshape(-1, 3, 5)[:, :, :3].copy()
        matrices[camera] = turn @ matrices[camera]
        return _with(rows, matrices)

    return change


def _swapped(first: int, second: int) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        rows[[first, second]] = rows[[second, first]]
        return rows

    return change


def _opencv(rows: Rows) -> Rows:
    return _with(rows, _axes(rows) * [1.0, -1.0, -1.0])


def _opengl(rows: Rows) -> Rows:
    return _with(rows, _axes(rows))


def _world_to_camera(rows: Rows) -> Rows:
    """OpenCV's extrinsics, x_camera = R x_world + t, as COLMAP writes them."""
    back = np.swapaxes(_axes(rows) * [1.0, -1.0, -1.0], 1, 2)
    centres = rows[:, :15].reshape(-1, 3, 5)[:, :, 3]
    return _with(rows, back, -np.einsum("cij,cj->ci", back, centres))


def _focal(rows: Rows) -> Rows:
    rows[:, 14] *= 1.2
    return rows


def _late(camera: int) -> Callable[[list[Path]], None]:
    """One camera shows every instant ``LATE`` frames after the others."""

    def change(videos: list[Path]) -> None:
        for index, video in enumerate(videos):
            frames = probe(video).frames
            start = 0 if index == camera else LATE
            _rewrite(video, list(decode(video, range(start, frames - LATE + start))))

    return change


def _changed(camera: int, picture: Callable[[np.ndarray], np.ndarray]) -> Callable[[list[Path]], None]:
    def change(videos: list[Path]) -> None:
        video = videos[camera]
        _rewrite(video, [picture(found) for found in decode(video, range(probe(video).frames))])

    return change


def _duplicate(camera: int, of: int) -> Callable[[list[Path]], None]:
    def change(videos: list[Path]) -> None:
        videos[camera].unlink()
        shutil.copy(videos[of], videos[camera])

    return change


def _rewrite(video: Path, pictures: list[np.ndarray]) -> None:
    fps = probe(video).fps
    video.unlink()
    write_video(video, pictures, fps=fps, coding={"qp": "12"})


CASES = {
    "one pose turned by 2 degrees": Spoiled("pose", (3,), "turned by", _turned(3, 2)),
    "one pose turned by 10 degrees": Spoiled("pose", (7,), "turned by", _turned(7, 10)),
    "one pose turned by 180 degrees": Spoiled("pose", (5,), "turned by", _turned(5, 180)),
    "two rows swapped": Spoiled("swapped", (4, 9), "swapped", _swapped(4, 9)),
    "one camera 3 frames late": Spoiled("out of step", (6,), "3 frames late", videos=_late(6)),
    "OpenCV axes": Spoiled("convention", (), "the axes of OpenCV", _opencv),
    "OpenGL axes": Spoiled("convention", (), "the axes of OpenGL", _opengl),
    "world-to-camera": Spoiled("convention", (), "world-to-camera matrices", _world_to_camera),
    "focal length 20 % off": Spoiled("focal length", (), "too long", _focal),
    "one camera mirrored": Spoiled(
        "mirrored", (2,), "mirrored", videos=_changed(2, lambda found: np.ascontiguousarray(found[:, ::-1]))
    ),
    "duplicate": Spoiled("duplicate", (8,), "the same pictures as", videos=_duplicate(8, 7)),
    "black": Spoiled("black", (1,), "black", videos=_changed(1, np.zeros_like)),
}
"""The cases by name, as the table of results lists them."""
