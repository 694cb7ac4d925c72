"""Pinhole cameras and the rays through their pixels.

Axes are OpenGL's: in camera space x points right, y up, z backwards, so a camera looks along -z.
``camera_to_world`` is the 3x4 matrix [R | o] that takes camera space to world space; o is the centre of
projection in world units, in float64 until a ray is clipped to the cube: captures in map coordinates lie
millions of units from the origin. Pixel (column i, row j) has its centre at (i + 0.5, j + 0.5) in a picture
whose origin is the upper left corner. No distortion.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_format.errors import ViewError

from . import conventions as conventions

MOST_DISTANCE = 1e9
"""World units from the origin, of the cameras that are accepted; nearer than what float64 can hold."""

Numbers = float | Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Camera:
    """One pinhole camera without distortion: picture size and intrinsics in pixels, pose in world units.

    ``camera_to_world`` is 3x4 with OpenGL's axes: x right, y up, the camera looks along -z. Pixel centres are
    at +0.5: the first pixel's is at (0.5, 0.5). World units are the recording's own.
    """

    name: str
    width: int
    height: int
    focal_x: float
    focal_y: float
    centre_x: float
    centre_y: float
    camera_to_world: Float[np.ndarray, "3 4"]

    @classmethod
    def from_opencv(
        cls,
        matrix: conventions.Numbers,
        rotation: conventions.Numbers,
        translation: conventions.Numbers,
        size: tuple[int, int],
        *,
        name: str = "camera",
    ) -> "Camera":
        """A camera of OpenCV: K (3x3), R (3x3, or a rotation vector) and t of x_camera = R x_world + t.

        ``size`` is width and height in pixels. OpenCV counts pixels from the centre of the first one, so the
        principal point here is K's plus 0.5. Distortion is not supported: undistort pictures before. Raises
        ViewError for what is not a pinhole camera.
        """
        focal_x, focal_y, centre_x, centre_y = conventions.opencv_intrinsics(matrix)
        centre = centre_x + conventions.OPENCV_PIXEL, centre_y + conventions.OPENCV_PIXEL
        turned = conventions.opencv_rotation(rotation, "from_opencv")
        pose = conventions.pose_of_extrinsics(turned, translation, "from_opencv")
        return _checked(cls(name, *size, focal_x, focal_y, *centre, pose), "from_opencv")

    def to_opencv(
        self,
    ) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
        """K, R and t as OpenCV has them; see ``from_opencv``."""
        x, y = self.centre_x - conventions.OPENCV_PIXEL, self.centre_y - conventions.OPENCV_PIXEL
        matrix = np.array([[self.focal_x, 0, x], [0, self.focal_y, y], [0, 0, 1]])
        return matrix, *conventions.extrinsics_of_pose(self.camera_to_world)

    @classmethod
    def from_colmap(
        cls,
        model: str,
        params: conventions.Numbers,
        quaternion: conventions.Numbers,
        translation: conventions.Numbers,
        size: tuple[int, int],
        *,
        name: str = "camera",
    ) -> "Camera":
        """A camera as COLMAP's ``cameras.txt`` and ``images.txt`` have it.

        ``model`` is SIMPLE_PINHOLE or PINHOLE with its ``params``; ``quaternion`` (QW, QX, QY, QZ) and
        ``translation`` (TX, TY, TZ) take the world to the camera. Raises ViewError for anything else.
        """
        intrinsics = conventions.colmap_intrinsics(model, params)
        rotation = conventions.rotation_of_quaternion(quaternion, "from_colmap")
        pose = conventions.pose_of_extrinsics(rotation, translation, "from_colmap")
        return _checked(cls(name, *size, *intrinsics, pose), "from_colmap")

    def to_colmap(
        self,
    ) -> tuple[str, tuple[float, float, float, float], Float[np.ndarray, "4"], Float[np.ndarray, "3"]]:
        """Model, parameters, quaternion and translation as COLMAP has them; see ``from_colmap``."""
        rotation, translation = conventions.extrinsics_of_pose(self.camera_to_world)
        params = self.focal_x, self.focal_y, self.centre_x, self.centre_y
        return "PINHOLE", params, conventions.quaternion_of_rotation(rotation), translation

    @classmethod
    def from_nerfstudio(cls, record: Mapping[str, object], *, name: str = "camera") -> "Camera":
        """A camera of nerfstudio's ``transforms.json``: ``{**transforms, **transforms["frames"][i]}``.

        Read are ``transform_matrix`` (camera to world, OpenGL's axes), ``w``, ``h``, ``fl_x`` and, where
        present, ``fl_y``, ``cx`` and ``cy``. Raises ViewError when they are missing, when distortion is not
        0, or when the matrix is not a pose. World units are the file's.
        """
        size, intrinsics = conventions.nerfstudio_intrinsics(record)
        pose = conventions.nerfstudio_pose(record)
        return _checked(cls(name, *size, *intrinsics, pose), "from_nerfstudio")

    def to_nerfstudio(self) -> dict[str, object]:
        """The camera as a record of ``transforms.json``; see ``from_nerfstudio``."""
        return {
            "w": self.width,
            "h": self.height,
            "fl_x": self.focal_x,
            "fl_y": self.focal_y,
            "cx": self.centre_x,
            "cy": self.centre_y,
            "transform_matrix": [*self.camera_to_world.tolist(), [0.0, 0.0, 0.0, 1.0]],
        }

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


def _checked(camera: Camera, where: str) -> Camera:
    """The camera itself. Raises ViewError when its size or a focal length is not positive."""
    if camera.width < 1 or camera.height < 1:
        raise ViewError(f"{where}: size {camera.width}x{camera.height}, expected at least 1x1 pixels")
    numbers = camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y
    if not np.isfinite(numbers).all() or min(camera.focal_x, camera.focal_y) <= 0:
        raise ViewError(
            f"{where}: focal lengths {camera.focal_x:g} and {camera.focal_y:g}, principal point "
            f"({camera.centre_x:g}, {camera.centre_y:g}); expected positive focal lengths, in finite pixels"
        )
    return camera


class Cameras(Sequence[Camera]):
    """The cameras of a clip, in order, by index or by name.

    ``cameras["cam00"]`` raises ViewError when there is no such camera, ``cameras[99]`` IndexError.
    """

    def __init__(self, cameras: Iterable[Camera], where: str) -> None:
        self._cameras = tuple(cameras)
        self._where = where

    @property
    def names(self) -> tuple[str, ...]:
        """The cameras' names, in order."""
        return tuple(camera.name for camera in self._cameras)

    @overload
    def __getitem__(self, key: int | str) -> Camera: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Camera, ...]: ...
    def __getitem__(self, key: int | str | slice) -> Camera | tuple[Camera, ...]:
        if not isinstance(key, str):
            return self._cameras[key]
        for camera in self._cameras:
            if camera.name == key:
                return camera
        raise ViewError(f"{self._where}: no camera {key[:40]!r}, there are {', '.join(self.names[:40])}")

    def __len__(self) -> int:
        return len(self._cameras)

    def __repr__(self) -> str:
        return f"Cameras({', '.join(self.names)})"


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
