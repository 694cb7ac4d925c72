"""Drawings of a rig as numbers for SVG: cameras, frusta and points, from above and from the side."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .colmap.problem import Solution
from .near_far import good_points

SIZE = 480  # of a drawing, in SVG units
_MARGIN = 24
_MOST_POINTS = 1500
_FRUSTUM = 0.12  # of the drawing's extent
_KEPT = (2.0, 98.0)  # percentiles of the points that set the drawing's range


@dataclass(frozen=True)
class DrawnCamera:
    """A camera's name, its place, and the corners of its frustum as an SVG polyline."""

    name: str
    x: float
    y: float
    frustum: str
    doubtful: bool


@dataclass(frozen=True)
class Drawing:
    """One view of the rig."""

    title: str
    cameras: list[DrawnCamera]
    points: list[tuple[float, float]]
    size: int = SIZE


def draw_rig(solution: Solution, doubtful: set[str]) -> list[Drawing]:
    """The rig from above (x to the right, z down the page) and from the side (z to the right, y up)."""
    from_above = np.array([[1.0, 0, 0], [0, 0, 1.0]])
    from_side = np.array([[0, 0, 1.0], [0, -1.0, 0]])
    return [
        _drawing("from above", solution, from_above, doubtful),
        _drawing("from the side", solution, from_side, doubtful),
    ]


def _drawing(title: str, solution: Solution, axes: Float[np.ndarray, "2 3"], doubtful: set[str]) -> Drawing:
    points = solution.points[good_points(solution)]
    step = max(1, len(points) // _MOST_POINTS)
    flat = points[::step] @ axes.T
    centres = np.stack([pose.centre for pose in solution.poses]) @ axes.T
    low, high = centres.min(axis=0), centres.max(axis=0)
    if len(flat):
        bounds = np.percentile(flat, _KEPT, axis=0)
        low, high = np.minimum(low, bounds[0]), np.maximum(high, bounds[1])
    scale = (SIZE - 2 * _MARGIN) / (float((high - low).max()) or 1.0)
    offset = (SIZE - scale * (high - low)) / 2

    def place(found: np.ndarray) -> np.ndarray:
        return np.asarray((found - low) * scale + offset)

    length = _FRUSTUM * SIZE / scale
    cameras = []
    for name, pose, lens, at in zip(
        solution.names, solution.poses, solution.lenses, place(centres), strict=True
    ):
        corners = np.array([[0, 0], [lens.width, 0], [lens.width, lens.height], [0, lens.height]], np.float64)
        rays = lens.directions(corners) @ pose.rotation
        ends = place((pose.centre + length * rays / (rays @ pose.forward)[:, None]) @ axes.T)
        line = [at, ends[0], ends[1], at, ends[2], ends[3], at]
        frustum = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        cameras.append(DrawnCamera(name, float(at[0]), float(at[1]), frustum, name in doubtful))
    shown = place(flat)
    inside = ((shown >= 0) & (shown <= SIZE)).all(axis=1)
    return Drawing(title, cameras, [(round(float(x), 1), round(float(y), 1)) for x, y in shown[inside]])
