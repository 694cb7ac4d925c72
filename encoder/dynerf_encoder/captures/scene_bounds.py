"""Chooses the space of a scene: perspective for forward-facing cameras, a box for inward-facing ones.

It is derived from the cameras alone, in world units. A box must hold everything that the cameras see,
including the floor: parts of a scene outside the box cannot be learned. It is the bounding box of the cameras
and of all points that at least a third of them see between their near and far bounds.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from dynerf_decoder.cameras.camera import Camera, pixel_directions
from dynerf_decoder.cameras.rig import mean_axis, shares_viewing_direction
from dynerf_decoder.cameras.rotation import nearest_rotation
from dynerf_decoder.scene.contraction import Space
from dynerf_format.errors import ConfigError

Choice = Literal["auto", "perspective", "box"]

_MIN_COSINE = np.cos(np.radians(80))  # between the rays of a perspective space and its axis
_SEEN_BY = 1 / 3  # of the cameras
_GRID = 48
_MARGIN = 1.02


def choose_space(
    cameras: Sequence[Camera], near: Sequence[float], far: Sequence[float], choice: Choice = "auto"
) -> Space:
    """The space of a rig. Raises ConfigError for ``perspective`` when the cameras do not face one way."""
    forward_facing = is_forward_facing(cameras)
    if choice == "perspective" and not forward_facing:
        raise ConfigError(
            "--space perspective needs cameras that face the same way (within 45 degrees of their mean "
            "direction), found cameras that face inward or all around; use --space box or auto"
        )
    if choice == "perspective" or (choice == "auto" and forward_facing):
        return perspective_space(cameras, near, far)
    return box_space(cameras, near, far)


def is_forward_facing(cameras: Sequence[Camera]) -> bool:
    """Whether all cameras face roughly one way, so that one virtual frustum can hold all their rays."""
    if not shares_viewing_direction(cameras):
        return False
    axis = mean_axis(cameras)
    return bool(min(float((_corner_rays(camera) @ axis).min()) for camera in cameras) > _MIN_COSINE)


def perspective_space(cameras: Sequence[Camera], near: Sequence[float], far: Sequence[float]) -> Space:
    """The frustum of a virtual camera behind the rig, as narrow as the cameras' frusta permit."""
    rotation = nearest_rotation(np.mean([camera.camera_to_world[:, :3] for camera in cameras], axis=0))
    centre = np.mean([camera.origin for camera in cameras], axis=0)
    corners = _frustum_corners(cameras, near, far, rotation, centre)
    # Moved back until the rig itself fits into the frustum that holds the far corners.
    half_extent = np.abs(corners[:, :2]).max(axis=0)
    rig = np.abs(np.stack([(camera.origin - centre) @ rotation for camera in cameras])[:, :2]).max(axis=0)
    far_depth = float(-corners[:, 2].min())
    pull_back = float((rig * far_depth / np.maximum(half_extent - rig, 1e-6 * half_extent)).max())
    depth = -corners[:, 2] + pull_back
    tangents = np.abs(corners[:, :2] / depth[:, None]).max(axis=0) * _MARGIN
    camera_to_world = np.concatenate([rotation, (centre + pull_back * rotation[:, 2])[:, None]], axis=1)
    return Space.perspective(
        camera_to_world,
        (float(tangents[0]), float(tangents[1])),
        float(depth.min()) / _MARGIN,
        float(depth.max()),
    )


def box_space(cameras: Sequence[Camera], near: Sequence[float], far: Sequence[float]) -> Space:
    """The axis-aligned box of the cameras and of what a third of them see."""
    origins = np.stack([camera.origin for camera in cameras])
    axes = [
        np.linspace(low, high, _GRID)
        for low, high in zip(origins.min(axis=0) - max(far), origins.max(axis=0) + max(far), strict=True)
    ]
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    seen = sum(_sees(c, n, f, cells).astype(int) for c, n, f in zip(cameras, near, far, strict=True))
    points = np.concatenate([cells[seen >= max(2, _SEEN_BY * len(cameras))], origins])
    return Space.box(points.min(axis=0), points.max(axis=0), near=float(min(near)))


def _corner_rays(camera: Camera) -> Float[np.ndarray, "4 3"]:
    columns = np.array([0.0, camera.width, 0.0, camera.width])
    rows = np.array([0.0, 0.0, camera.height, camera.height])
    return pixel_directions(camera, columns, rows)


def _frustum_corners(
    cameras: Sequence[Camera],
    near: Sequence[float],
    far: Sequence[float],
    rotation: Float[np.ndarray, "3 3"],
    centre: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "n 3"]:
    """Near and far corners of all frusta in the mean camera's coordinates (near and far are depths)."""
    corners = []
    for camera, first, last in zip(cameras, near, far, strict=True):
        rays = _corner_rays(camera)
        rays = rays / (rays @ camera.forward)[:, None]
        corners += [camera.origin + depth * rays for depth in (first, last)]
    local: Float[np.ndarray, "n 3"] = (np.concatenate(corners) - centre) @ rotation
    return local


def _sees(
    camera: Camera, near: float, far: float, points: Float[np.ndarray, "n 3"]
) -> Bool[np.ndarray, " n"]:
    depth = (points - camera.origin) @ camera.forward
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = camera.project(points)
    inside = (pixels >= 0).all(axis=1) & (pixels[:, 0] <= camera.width) & (pixels[:, 1] <= camera.height)
    sees: Bool[np.ndarray, " n"] = (depth > near) & (depth < far) & inside
    return sees
