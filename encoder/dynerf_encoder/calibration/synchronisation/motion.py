"""Offsets from motion: both views of a pair see the same amount of motion in the same epipolar plane.

Pixels of both views are grouped by the angle of their epipolar plane, a half-plane that ends at the line
through both centres. What moves (the difference to the temporal median) is averaged per plane and frame; the
square root's difference in time is correlated between the views at every lag. It needs no matches, and works
between cameras that face each other. Static cameras are assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.captures.lens import Lens

from .offsets import PairScores

PLANES = 48
_NEAREST = 8  # cameras that each one is paired with
_CLIP = 40  # grey levels: beyond it more contrast does not mean more motion
_FINE = 720  # directions of planes, before they are grouped
_LEAST_OVERLAP = 12  # frames
_LEAST_SHARE = 0.3  # of the shorter video


@dataclass(frozen=True, eq=False)
class MovingView:
    """One camera: its small grey pictures, its centre, and the unit ray of each of their pixels (world)."""

    pictures: UInt8[np.ndarray, "frame height width"]
    centre: Float[np.ndarray, "3"]
    rays: Float[np.ndarray, "pixel 3"]


def view_of_pictures(pictures: UInt8[np.ndarray, "frame height width"], lens: Lens, pose: Pose) -> MovingView:
    """The view of a camera whose pictures were made smaller; ``lens`` is that of the full size."""
    height, width = pictures.shape[1:]
    columns, rows = np.meshgrid(
        (np.arange(width) + 0.5) * lens.width / width, (np.arange(height) + 0.5) * lens.height / height
    )
    rays = lens.directions(np.column_stack([columns.ravel(), rows.ravel()])) @ pose.rotation
    return MovingView(pictures, pose.centre, rays)


def motion_scores(
    views: Sequence[MovingView],
    reach: int | None = None,
    moving: Sequence[UInt8[np.ndarray, "_ _"]] | None = None,
) -> list[PairScores]:
    """Scores of pairs of near cameras at lags up to ``reach`` frames (default: as overlap permits).

    ``moving`` is the ``foreground`` of the views' pictures, where it is known.
    """
    moving = [foreground(view.pictures) for view in views] if moving is None else moving
    found = []
    for first, second in _neighbours(views):
        planes = _common_planes(views[first], views[second])
        if planes is None:
            continue
        profiles = _profile(moving[first], planes[0]), _profile(moving[second], planes[1])
        found.append(PairScores(first, second, lag_scores(*profiles, reach)))
    return found


def lag_scores(
    first: Float[np.ndarray, "frame plane"], second: Float[np.ndarray, "frame2 plane"], reach: int | None
) -> Float[np.ndarray, " lag"]:
    """Pearson correlation of both profiles at every lag, scaled by the root of the share of overlap.

    Lags with fewer common frames than ``_LEAST_OVERLAP`` or ``_LEAST_SHARE`` score 0.
    """
    longest, shortest = max(len(first), len(second)), min(len(first), len(second))
    least = max(_LEAST_OVERLAP, int(_LEAST_SHARE * shortest))
    reach = longest - 1 if reach is None else min(reach, longest - 1)
    size = 2 ** int(np.ceil(np.log2(len(first) + len(second))))
    spectra = [np.fft.rfft(profile - profile.mean(), size, axis=0) for profile in (first, second)]
    products = np.fft.irfft((spectra[0] * spectra[1].conj()).sum(axis=1), size)
    energy = [np.concatenate([[0.0], np.cumsum(((p - p.mean()) ** 2).sum(axis=1))]) for p in (first, second)]
    lags = np.arange(-reach, reach + 1)
    start, stop = np.maximum(lags, 0), np.minimum(len(first), len(second) + lags)
    overlap = np.maximum(stop - start, 0)
    usable = overlap >= least
    start, stop = np.where(usable, start, 0), np.where(usable, stop, 0)
    norm = np.sqrt(
        np.maximum(energy[0][stop] - energy[0][start], 0)
        * np.maximum(
            energy[1][np.clip(stop - lags, 0, None) * usable] - energy[1][(start - lags) * usable], 0
        )
    )
    scores = np.divide(products[lags % size], norm, out=np.zeros(len(lags)), where=norm > 1e-9)
    return np.asarray(scores * np.sqrt(overlap / shortest) * usable)


def foreground(pictures: UInt8[np.ndarray, "frame height width"]) -> UInt8[np.ndarray, "frame pixel"]:
    """What moves: the difference of every pixel to its median over time, at most ``_CLIP`` grey levels."""
    flat = pictures.reshape(len(pictures), -1)
    background = np.median(flat, axis=0).astype(np.int16)
    found = np.empty(flat.shape, np.uint8)  # bytes: all cameras are held at once
    for frame, row in enumerate(flat):
        found[frame] = np.minimum(np.abs(row.astype(np.int16) - background), _CLIP)
    return found


def _neighbours(views: Sequence[MovingView]) -> list[tuple[int, int]]:
    centres = np.stack([view.centre for view in views])
    distances = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    found = set()
    for index, row in enumerate(distances):
        nearest = [int(other) for other in row.argsort(kind="stable") if other != index][:_NEAREST]
        found |= {(min(index, other), max(index, other)) for other in nearest}
    return sorted(found)


def _common_planes(
    first: MovingView, second: MovingView
) -> tuple[Int[np.ndarray, " pixel"], Int[np.ndarray, " pixel"]] | None:
    """The plane that each pixel of both views belongs to, -1 for planes that the other does not see."""
    baseline = second.centre - first.centre
    length = float(np.linalg.norm(baseline))
    if length < 1e-9:
        return None
    across = _perpendicular(baseline / length)
    fine = [
        np.floor((np.arctan2(view.rays @ across[1], view.rays @ across[0]) / (2 * np.pi) + 0.5) * _FINE)
        .astype(np.int64)
        .clip(0, _FINE - 1)
        for view in (first, second)
    ]
    counts = [np.bincount(angles, minlength=_FINE) for angles in fine]
    shared = (counts[0] > 0) & (counts[1] > 0)
    if not shared.any():
        return None
    # Groups of planes with equally many pixels, so that each average has the same noise.
    share = np.cumsum(np.where(shared, counts[0] / counts[0].sum() + counts[1] / counts[1].sum(), 0.0))
    group = np.minimum((share / share[-1] * PLANES * (1 - 1e-9)).astype(np.int64), PLANES - 1)
    group[~shared] = -1
    return group[fine[0]], group[fine[1]]


def _perpendicular(axis: Float[np.ndarray, "3"]) -> Float[np.ndarray, "2 3"]:
    helper = np.eye(3)[np.abs(axis).argmin()]
    one = np.cross(axis, helper)
    one /= np.linalg.norm(one)
    return np.stack([one, np.cross(axis, one)])


def _profile(
    moving: UInt8[np.ndarray, "frame pixel"], group: Int[np.ndarray, " pixel"]
) -> Float[np.ndarray, "step plane"]:
    """The mean motion per plane and frame: its square root, differentiated in time."""
    inside = group >= 0
    order = np.flatnonzero(inside)[np.argsort(group[inside], kind="stable")]
    counts = np.bincount(group[inside], minlength=PLANES)
    ends = np.concatenate([[0], np.cumsum(counts)])
    means = np.zeros((len(moving), PLANES), np.float64)
    for frame, row in enumerate(moving):
        sums = np.concatenate([[0.0], np.cumsum(row[order], dtype=np.float64)])
        means[frame] = (sums[ends[1:]] - sums[ends[:-1]]) / np.maximum(counts, 1)
    return np.diff(np.sqrt(np.maximum(means, 0)), axis=0)
