"""The contraction of the scene: a projective map from the world to the cube [-1, 1]^3.

A ``Space`` is a 4x4 matrix M. A world point x goes to h = M [x; 1] and then to the cube point h_xyz / h_w.
Both kinds share their code:

- ``box``: M is affine; an axis-aligned box in world units fills the cube (inward-facing rigs).
- ``perspective``: M is the projection of a virtual camera behind the rig; x/z, y/z and disparity 1/z fill
  the cube (forward-facing rigs). This is NDC (NeRF, appendix C) without the requirement that all rays start
  on the near plane of one camera.

A projective map takes straight lines to straight lines, so a world ray becomes a straight interval in the
cube. It is found by clipping the ray in homogeneous coordinates against -w <= x, y, z <= w, as a GPU clips
triangles. Samples are linear in the interval: p(s) = start + s (end - start), s in [0, 1].
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

Kind = Literal["perspective", "box"]

_MIN_LENGTH = 1e-6  # an interval shorter than this (in world units along the ray) is a miss


@dataclass(frozen=True)
class RayIntervals:
    """Rays clipped to the cube: ``start`` and ``end`` in cube units, and what converts s to world units."""

    start: Float[Tensor, "*ray 3"]
    end: Float[Tensor, "*ray 3"]
    hit: Bool[Tensor, "*ray"]
    distance_in: Float[Tensor, "*ray"]
    distance_out: Float[Tensor, "*ray"]
    w_in: Float[Tensor, "*ray"]
    w_out: Float[Tensor, "*ray"]

    def pick(self, rays: Int[Tensor, " n"]) -> "RayIntervals":
        """The intervals of some rays of each frame; shapes are (frame, ray, ...)."""
        return RayIntervals(*(getattr(self, name)[:, rays] for name in self.__dataclass_fields__))

    def at(self, s: Float[Tensor, "*ray sample"]) -> Float[Tensor, "*ray sample 3"]:
        """Cube points at fractions ``s`` of the intervals."""
        step = (self.end - self.start).unsqueeze(-2)
        return torch.addcmul(self.start.unsqueeze(-2), s.unsqueeze(-1), step)

    def length(self) -> Float[Tensor, "*ray"]:
        """Length of each interval in cube units."""
        length: Tensor = torch.linalg.vector_norm(self.end - self.start, dim=-1)
        return length

    def distance(self, s: Float[Tensor, "*ray"]) -> Float[Tensor, "*ray"]:
        """World distance from the ray's origin at fraction ``s`` (perspective-correct interpolation)."""
        u = s * self.w_in / (s * self.w_in + (1 - s) * self.w_out)
        return self.distance_in + u * (self.distance_out - self.distance_in)


@dataclass(frozen=True, eq=False)
class Space:
    """The map from world to cube. Rays start no nearer than ``near`` (world units)."""

    kind: Kind
    matrix: Float[np.ndarray, "4 4"]
    near: float

    @classmethod
    def box(cls, lower: Float[np.ndarray, "3"], upper: Float[np.ndarray, "3"], near: float) -> "Space":
        """The affine map of an axis-aligned box (world units) onto the cube."""
        matrix = np.eye(4)
        matrix[[0, 1, 2], [0, 1, 2]] = 2 / (upper - lower)
        matrix[:3, 3] = -(upper + lower) / (upper - lower)
        return cls("box", matrix, near)

    @classmethod
    def perspective(
        cls,
        camera_to_world: Float[np.ndarray, "3 4"],
        tangents: tuple[float, float],
        z_near: float,
        z_far: float,
    ) -> "Space":
        """The frustum of a virtual camera (OpenGL axes) between two depths; disparity runs from -1 to 1.

        ``tangents`` are those of half the horizontal and vertical field of view; depths are in world units.
        """
        rotation, origin = camera_to_world[:, :3], camera_to_world[:, 3]
        view = np.eye(4)
        view[:3, :3] = rotation.T
        view[:3, 3] = -rotation.T @ origin
        gain = -2 / (1 / z_near - 1 / z_far)
        offset = 1 - gain / z_far
        projection = np.array(
            [
                [1 / tangents[0], 0, 0, 0],
                [0, 1 / tangents[1], 0, 0],
                [0, 0, -offset, gain],
                [0, 0, -1, 0],
            ]
        )
        return cls("perspective", projection @ view, 0.0)

    def moved(self, offset: Float[np.ndarray, "3"]) -> "Space":
        """The same space in a world translated by ``offset``."""
        if not offset.any():
            return self
        matrix = self.matrix.copy()
        matrix[:, 3] -= matrix[:, :3] @ offset
        return replace(self, matrix=matrix)

    def to_cube(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Cube coordinates of world points (outside the cube for points outside the space)."""
        homogeneous = points @ self.matrix[:, :3].T + self.matrix[:, 3]
        result: Float[np.ndarray, "n 3"] = homogeneous[:, :3] / homogeneous[:, 3:]
        return result

    def clip(self, origins: Float[Tensor, "*ray 3"], directions: Float[Tensor, "*ray 3"]) -> RayIntervals:
        """Clip rays (unit directions, world units) to the cube.

        Rays that miss have ``hit`` False and an interval of length 0. Not differentiable with respect to the
        rays. Computed in float64, because far planes mix large and small numbers in one matrix.
        """
        if origins.device.type == "cpu":
            return self._clip_by_kernel(origins, directions)
        return self.clip_plain(origins, directions)

    def matrix_on(self, device: torch.device) -> Float64[Tensor, "4 4"]:
        """The matrix on a device."""
        return torch.as_tensor(self.matrix, dtype=torch.float64, device=device)

    def clip_plain(
        self,
        origins: Float[Tensor, "*ray 3"],
        directions: Float[Tensor, "*ray 3"],
        matrix: Float64[Tensor, "4 4"] | None = None,
    ) -> RayIntervals:
        """``clip`` in torch: the kernel's reference.

        Passing a ``matrix`` that is already on the rays' device (``matrix_on``) saves a transfer.
        """
        if matrix is None:
            matrix = self.matrix_on(origins.device)
        origins, directions = origins.double(), directions.double()
        base = origins @ matrix[:, :3].T + matrix[:, 3]
        slope = directions @ matrix[:, :3].T
        margin = torch.cat([base[..., 3:] - base[..., :3], base[..., 3:] + base[..., :3]], dim=-1)
        margin_slope = torch.cat([slope[..., 3:] - slope[..., :3], slope[..., 3:] + slope[..., :3]], dim=-1)
        crossing = -margin / margin_slope
        infinite = torch.full_like(crossing, torch.inf)
        t_in = torch.where(margin_slope > 0, crossing, -infinite).amax(dim=-1).clamp_min(self.near)
        t_out = torch.where(margin_slope < 0, crossing, infinite).amin(dim=-1)
        outside = ((margin_slope == 0) & (margin < 0)).any(dim=-1)
        hit = (t_out - t_in > _MIN_LENGTH) & torch.isfinite(t_out) & ~outside
        t_in = torch.where(hit, t_in, torch.zeros_like(t_in))
        t_out = torch.where(hit, t_out, torch.zeros_like(t_out))
        point_in = base + t_in.unsqueeze(-1) * slope
        point_out = base + t_out.unsqueeze(-1) * slope
        return RayIntervals(
            _project(point_in, hit), _project(point_out, hit), hit,
            t_in.float(), t_out.float(), _weight(point_in, hit), _weight(point_out, hit),
        )  # fmt: skip

    def _clip_by_kernel(
        self, origins: Float[Tensor, "*ray 3"], directions: Float[Tensor, "*ray 3"]
    ) -> RayIntervals:
        from dynerf_decoder.kernels.intervals import clip

        shape = directions.shape[:-1]
        start, end = torch.empty(*shape, 3), torch.empty(*shape, 3)
        hit = torch.empty(shape, dtype=torch.bool)
        scalars = [torch.empty(shape) for _ in range(4)]
        if origins.numel() > 0 and not any(origins.stride()[:-1]):  # a camera's rays share one origin
            origins = origins[(0,) * (origins.dim() - 1)]
        rays = origins.detach().double().reshape(-1).numpy(), directions.detach().reshape(-1).numpy()
        outputs = (each.view(-1).numpy() for each in (start, end, hit, *scalars))
        matrix = np.ascontiguousarray(self.matrix, np.float64).reshape(-1)
        clip(matrix, float(self.near), _MIN_LENGTH, *rays, *outputs)
        return RayIntervals(start, end, hit, *scalars)


def _project(homogeneous: Tensor, hit: Tensor) -> Tensor:
    points = homogeneous[..., :3] / homogeneous[..., 3:]
    return torch.where(hit.unsqueeze(-1), points, torch.zeros_like(points)).float().clamp(-1, 1)


def _weight(homogeneous: Tensor, hit: Tensor) -> Tensor:
    return torch.where(hit, homogeneous[..., 3], torch.ones_like(homogeneous[..., 3])).float()
