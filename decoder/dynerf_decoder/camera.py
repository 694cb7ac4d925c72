"""Pinhole cameras and the rays through their pixels.

Axes are OpenGL's: in camera space x points right, y up, z backwards, so a camera looks along -z.
``camera_to_world`` is the 3x4 matrix [R | o] that takes camera space to world space; o is the centre of
projection in world units, in float64 until a ray is clipped to the cube: captures in map coordinates lie
millions of units from the origin. Pixel (column i, row j) has its centre at (i + 0.5, j + 0.5) in a picture
whose origin is the upper left corner. No distortion.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

MOST_DISTANCE = 1e9
"""World units from the origin, of the cameras that are accepted; nearer than what float64 can hold."""

Numbers = float | Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Camera:
    """One pinhole camera: picture size and intrinsics in pixels, pose in world units."""

    name: str
    width: int
    height: int
    focal_x: float
    focal_y: float
    centre_x: float
    centre_y: float
    camera_to_world: Float[np.ndarray, "3 4"]

    @property
    def origin(self) -> Float[np.ndarray, "3"]:
        """Centre of projection in world units."""
        return self.camera_to_world[:, 3]

    @property
    def forward(self) -> Float[np.ndarray, "3"]:
        """Unit viewing direction in world space."""
        return -self.camera_to_world[:, 2]

    def moved(self, offset: Float[np.ndarray, "3"]) -> "Camera":
        """The same camera in a world whose points have all moved by ``offset``."""
        pose = self.camera_to_world.copy()
        pose[:, 3] += offset
        return replace(self, camera_to_world=pose)

    def with_size(self, width: int, height: int) -> "Camera":
        """The same view on another raster: the vertical field of view and the centre are kept.

        Pixels stay square when the aspect ratio changes: the picture shows more or less at its sides.
        """
        scale = height / self.height
        return replace(
            self,
            width=width,
            height=height,
            focal_x=self.focal_x * scale,
            focal_y=self.focal_y * scale,
            centre_x=width / 2 + (self.centre_x - self.width / 2) * scale,
            centre_y=self.centre_y * scale,
        )

    def downscaled(self, factor: int) -> "Camera":
        """The camera of pictures averaged over factor x factor pixels; a remainder is cut."""
        return replace(
            self,
            width=self.width // factor,
            height=self.height // factor,
            focal_x=self.focal_x / factor,
            focal_y=self.focal_y / factor,
            centre_x=self.centre_x / factor,
            centre_y=self.centre_y / factor,
        )

    def project(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        """Pixel coordinates of world points; only meaningful for points in front of the camera."""
        local = (points - self.origin) @ self.camera_to_world[:, :3]
        x = self.centre_x - self.focal_x * local[:, 0] / local[:, 2]
        y = self.centre_y + self.focal_y * local[:, 1] / local[:, 2]
        return np.stack([x, y], axis=-1)


def pixel_directions(
    camera: Camera, columns: Float[np.ndarray, " n"], rows: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n 3"]:
    """Unit world directions of the rays through picture positions (0.5, 0.5 is the first pixel's centre)."""
    intrinsics = camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y
    directions: Float[np.ndarray, "n 3"] = (
        unprojected(columns, rows, *intrinsics) @ camera.camera_to_world[:, :3].T
    )
    return directions


def unprojected(
    columns: Float[np.ndarray, " n"], rows: Float[np.ndarray, " n"],
    focal_x: Numbers, focal_y: Numbers, centre_x: Numbers, centre_y: Numbers,
) -> Float[np.ndarray, "n 3"]:  # fmt: skip
    """Unit directions in camera space of picture positions, of one camera or of a camera for each."""
    x = (columns - centre_x) / focal_x
    y = -(rows - centre_y) / focal_y
    local = np.stack([x, y, -np.ones_like(x)], axis=-1)
    local /= np.linalg.norm(local, axis=-1, keepdims=True)
    return local


def unprojected_on_device(
    columns: Tensor, rows: Tensor,
    focal_x: Tensor | float, focal_y: Tensor | float, centre_x: Tensor | float, centre_y: Tensor | float,
) -> Float[Tensor, "*n 3"]:  # fmt: skip
    """``unprojected`` for tensors."""
    x = (columns - centre_x) / focal_x
    y = -(rows - centre_y) / focal_y
    local = torch.stack([x, y, -torch.ones_like(x)], dim=-1)
    length: Tensor = torch.linalg.vector_norm(local, dim=-1, keepdim=True)
    return local / length


def camera_rays(
    camera: Camera, device: torch.device | str = "cpu", pixels: slice | None = None
) -> tuple[Float[Tensor, "pixel 3"], Float[Tensor, "pixel 3"]]:
    """Origins (float64) and unit directions (float32) of the pixels' rays, row by row, in world space.

    ``pixels`` picks a stretch of them, by row * width + column.
    """
    if torch.device(device).type != "cpu":
        return camera_rays_on(camera, device, pixels)
    chosen = np.arange(*(pixels or slice(None)).indices(camera.width * camera.height))
    rows, columns = np.divmod(chosen, camera.width)
    directions = torch.as_tensor(
        pixel_directions(camera, columns + 0.5, rows + 0.5), dtype=torch.float32, device=device
    )
    origin = torch.as_tensor(camera.origin, dtype=torch.float64, device=device)
    return origin.expand_as(directions), directions


def camera_rays_on(
    camera: Camera, device: torch.device | str, pixels: slice | None = None
) -> tuple[Float[Tensor, "pixel 3"], Float[Tensor, "pixel 3"]]:
    """``camera_rays``, computed on the device: no array of the picture's size has to go there.

    In float64 like the other, from which it differs by no more than a rounding to float32.
    """
    start, stop, step = (pixels or slice(None)).indices(camera.width * camera.height)
    chosen = torch.arange(start, stop, step, device=device)
    rows = torch.div(chosen, camera.width, rounding_mode="floor")
    columns = chosen - rows * camera.width
    intrinsics = camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y
    pose = torch.as_tensor(camera.camera_to_world, dtype=torch.float64, device=device)
    local = unprojected_on_device(columns.double() + 0.5, rows.double() + 0.5, *intrinsics)
    directions = (local @ pose[:, :3].T).float()
    return pose[:, 3].expand_as(directions), directions
