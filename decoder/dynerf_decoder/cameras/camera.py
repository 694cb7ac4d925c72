"""Pinhole cameras and the rays through their pixels.

Axes are OpenGL's: in camera space x points right, y up, z backwards, so a camera looks along -z.
``camera_to_world`` is the 3x4 matrix [R | o] that takes camera space to world space; o is the centre of
projection in world units, kept in float64 until rays are clipped to the cube: captures in map coordinates
can be millions of units from the origin. The centre of pixel (column i, row j) is at (i + 0.5, j + 0.5); the
upper left corner of the picture is at (0, 0). There is no lens distortion.
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

MAX_DISTANCE = 1e9
"""The greatest accepted distance of a camera from the origin, in world units; well within float64."""

Numbers = float | Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Camera:
    """One pinhole camera without distortion: picture size and intrinsics in pixels, pose in world units.

    ``camera_to_world`` is 3x4 with OpenGL's axes: x right, y up, the camera looks along -z. The centre of the
    first pixel is at (0.5, 0.5). World units are those of the capture.
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
        """A camera from OpenCV's K (3x3), R (3x3, or a rotation vector) and t: x_camera = R x_world + t.

        ``size`` is width and height in pixels. OpenCV counts pixels from the centre of the first one, so the
        principal point here is K's plus 0.5. Distortion is not supported: undistort the pictures first.
        Raises ViewError when the values do not describe a pinhole camera.
        """
        focal_x, focal_y, centre_x, centre_y = conventions.opencv_intrinsics(matrix)
        centre = centre_x + conventions.OPENCV_PIXEL, centre_y + conventions.OPENCV_PIXEL
        rotation_matrix = conventions.opencv_rotation(rotation, "from_opencv")
        pose = conventions.pose_of_extrinsics(rotation_matrix, translation, "from_opencv")
        return _checked(cls(name, *size, focal_x, focal_y, *centre, pose), "from_opencv")

    def to_opencv(
        self,
    ) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
        """K, R and t in OpenCV's conventions; see ``from_opencv``."""
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
        """A camera from the values in COLMAP's ``cameras.txt`` and ``images.txt``.

        ``model`` is SIMPLE_PINHOLE or PINHOLE with its ``params``; ``quaternion`` (QW, QX, QY, QZ) and
        ``translation`` (TX, TY, TZ) map world to camera space. Raises ViewError for anything else.
        """
        intrinsics = conventions.colmap_intrinsics(model, params)
        rotation = conventions.rotation_of_quaternion(quaternion, "from_colmap")
        pose = conventions.pose_of_extrinsics(rotation, translation, "from_colmap")
        return _checked(cls(name, *size, *intrinsics, pose), "from_colmap")

    def to_colmap(
        self,
    ) -> tuple[str, tuple[float, float, float, float], Float[np.ndarray, "4"], Float[np.ndarray, "3"]]:
        """Model, parameters, quaternion and translation in COLMAP's conventions; see ``from_colmap``."""
        rotation, translation = conventions.extrinsics_of_pose(self.camera_to_world)
        params = self.focal_x, self.focal_y, self.centre_x, self.centre_y
        return "PINHOLE", params, conventions.quaternion_of_rotation(rotation), translation

    @classmethod
    def from_nerfstudio(cls, record: Mapping[str, object], *, name: str = "camera") -> "Camera":
        """A camera from nerfstudio's ``transforms.json``: ``{**transforms, **transforms["frames"][i]}``.

        Reads ``transform_matrix`` (camera to world, OpenGL's axes), ``w``, ``h``, ``fl_x`` and the optional
        ``fl_y``, ``cx`` and ``cy``. Raises ViewError when a required key is missing, when distortion is not
        0, or when the matrix is not a pose. World units are those of the file.
        """
        size, intrinsics = conventions.nerfstudio_intrinsics(record)
        pose = conventions.nerfstudio_pose(record)
        return _checked(cls(name, *size, *intrinsics, pose), "from_nerfstudio")

    def to_nerfstudio(self) -> dict[str, object]:
        """The camera as a frame of ``transforms.json``; see ``from_nerfstudio``."""
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
        """The same camera in a world translated by ``offset``."""
        pose = self.camera_to_world.copy()
        pose[:, 3] += offset
        return replace(self, camera_to_world=pose)

    def with_size(self, width: int, height: int) -> "Camera":
        """The same view at another size: the vertical field of view and the centre are kept.

        Pixels stay square when the aspect ratio changes: the picture is cropped or extended at its sides.
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
        """The camera of pictures averaged over factor x factor pixels; remaining pixels are cropped."""
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
        direction = (points - self.origin) @ self.camera_to_world[:, :3]
        x = self.centre_x - self.focal_x * direction[:, 0] / direction[:, 2]
        y = self.centre_y + self.focal_y * direction[:, 1] / direction[:, 2]
        return np.stack([x, y], axis=-1)


def _checked(camera: Camera, where: str) -> Camera:
    """Return the camera. Raises ViewError when its size or a focal length is not positive."""
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

    ``cameras["cam99"]`` raises ViewError when there is no such camera, ``cameras[99]`` IndexError.
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
        unproject(columns, rows, *intrinsics) @ camera.camera_to_world[:, :3].T
    )
    return directions


def unproject(
    columns: Float[np.ndarray, " n"], rows: Float[np.ndarray, " n"],
    focal_x: Numbers, focal_y: Numbers, centre_x: Numbers, centre_y: Numbers,
) -> Float[np.ndarray, "n 3"]:  # fmt: skip
    """Unit directions in camera space of picture positions, for one camera or one camera per position."""
    x = (columns - centre_x) / focal_x
    y = -(rows - centre_y) / focal_y
    direction = np.stack([x, y, -np.ones_like(x)], axis=-1)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return direction


def unproject_tensors(
    columns: Tensor, rows: Tensor,
    focal_x: Tensor | float, focal_y: Tensor | float, centre_x: Tensor | float, centre_y: Tensor | float,
) -> Float[Tensor, "*n 3"]:  # fmt: skip
    """``unproject`` for tensors."""
    x = (columns - centre_x) / focal_x
    y = -(rows - centre_y) / focal_y
    direction = torch.stack([x, y, -torch.ones_like(x)], dim=-1)
    length: Tensor = torch.linalg.vector_norm(direction, dim=-1, keepdim=True)
    return direction / length


def camera_rays(
    camera: Camera, device: torch.device | str = "cpu", pixels: slice | None = None
) -> tuple[Float[Tensor, "pixel 3"], Float[Tensor, "pixel 3"]]:
    """Origins (float64) and unit directions (float32) of the pixels' rays, row by row, in world space.

    ``pixels`` selects a range of them, numbered row * width + column.
    """
    if torch.device(device).type != "cpu":
        return camera_rays_on(camera, device, pixels)
    from dynerf_decoder.kernels.pixels import pixel_rays

    start, stop, step = (pixels or slice(None)).indices(camera.width * camera.height)
    directions = np.empty((len(range(start, stop, step)), 3), np.float32)
    intrinsics = map(float, (camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y))
    pose = np.ascontiguousarray(camera.camera_to_world, np.float64).reshape(-1)
    pixel_rays(start, step, camera.width, *intrinsics, pose, directions.reshape(-1))
    origin = torch.as_tensor(camera.origin, dtype=torch.float64)
    return origin.expand(len(directions), 3), torch.from_numpy(directions)


def camera_rays_on(
    camera: Camera, device: torch.device | str, pixels: slice | None = None
) -> tuple[Float[Tensor, "pixel 3"], Float[Tensor, "pixel 3"]]:
    """``camera_rays``, computed on the device, so that no array of the picture's size is copied to it.

    Both compute in float64; they differ by at most the rounding to float32.
    """
    start, stop, step = (pixels or slice(None)).indices(camera.width * camera.height)
    indices = torch.arange(start, stop, step, device=device)
    rows = torch.div(indices, camera.width, rounding_mode="floor")
    columns = indices - rows * camera.width
    intrinsics = camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y
    pose = torch.as_tensor(camera.camera_to_world, dtype=torch.float64, device=device)
    direction = unproject_tensors(columns.double() + 0.5, rows.double() + 0.5, *intrinsics)
    directions = (direction @ pose[:, :3].T).float()
    return pose[:, 3].expand_as(directions), directions
