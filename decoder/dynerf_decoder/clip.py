"""A .dnv file opened for rendering: fold the latents of a moment, render any camera.

Time is in frames of the clip and may be fractional: latents are interpolated linearly between frames.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dynerf_format.errors import FormatError, ViewError
from dynerf_format.reader import Reader
from dynerf_format.records import CameraRecord, Header

from .camera import Camera, camera_rays
from .fields.build import build_model, load_weights
from .fields.field import FoldedModel, Model
from .renderer import Sampling, render_rays
from .space import Segments, Space
from .volume import median_position

_MOST_SAMPLES = 4096


@dataclass(frozen=True)
class Picture:
    """A rendered picture: display-referred RGB in 0..1 and the distance to the surface in world units."""

    rgb: Float[Tensor, "height width 3"]
    depth: Float[Tensor, "height width"]

    def to_uint8(self) -> UInt8[np.ndarray, "height width 3"]:
        """RGB rounded to 8 bits."""
        return rgb_to_uint8(self.rgb)


class Clip:
    """Renders what a reader reads. Weights are loaded per segment, latents when a moment needs them."""

    def __init__(self, reader: Reader, device: torch.device | str = "cpu") -> None:
        """Raises FormatError when the header's field, sampling or weights do not fit together."""
        self.reader = reader
        self.header: Header = reader.header
        self.device = torch.device(device)
        self.space = space_of(self.header)
        self.sampling = _sampling_of(self.header)
        self.cameras = tuple(camera_of(record) for record in self.header.cameras)
        self._models: dict[int, Model] = {}

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.header.frames

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return self.header.fps

    def model(self, segment: int) -> Model:
        """The model of a segment, on the device; kept once loaded."""
        if segment not in self._models:
            model = build_model(self.header.field.kind, self.header.field.settings)
            weights = self.reader.weights(segment)
            load_weights(model, {name: tensor.dequantise() for name, tensor in weights.items()})
            self._models = {segment: model.to(self.device).eval().requires_grad_(False)}
        return self._models[segment]

    @torch.no_grad()
    def fold(self, frame: float) -> FoldedModel:
        """The static model at a moment, 0 <= frame <= frames - 1, fractions interpolating the latents.

        Between the last frame of a segment and the first of the next the nearer one is taken: latents of
        two models have nothing in common. Raises ViewError outside the clip.
        """
        if not 0 <= frame <= self.frames - 1:
            raise ViewError(f"frame {frame:g} asked for, the clip has frames 0 to {self.frames - 1}")
        before = min(int(frame), self.frames - 1)
        share = frame - before
        if share > 0 and self.header.segment_at(before) != self.header.segment_at(before + 1):
            before, share = round(frame), 0.0
        latents = torch.as_tensor(self.reader.latents(before, 2 if share > 0 else 1), device=self.device)
        model = self.model(self.header.segment_at(before))
        if latents.shape[1] != model.latent_size:
            raise FormatError(
                f"latents of {latents.shape[1]} numbers, the field's settings say {model.latent_size}"
            )
        latent = latents[0] if share == 0 else torch.lerp(latents[0], latents[1], share)
        return model.fold(latent.unsqueeze(0))

    def depth_range(self) -> tuple[float, float]:
        """The least and greatest distance (world units) at which the clip's cameras can see anything."""
        nearest, farthest = [], []
        for camera in self.cameras:
            origins, directions = camera_rays(camera.with_size(8, 8))
            segments = self.space.clip(origins, directions)
            nearest.append(float(segments.distance_in[segments.hit].min()))
            farthest.append(float(segments.distance_out[segments.hit].max()))
        return max(min(nearest), 1e-3 * max(farthest)), max(farthest)

    def render(self, camera: Camera, frame: float) -> Picture:
        """The picture a camera sees at a moment (in frames)."""
        return render_picture(self.fold(frame), camera, self.space, self.sampling, self.device)


@torch.no_grad()
def render_picture(
    model: FoldedModel,
    camera: Camera,
    space: Space,
    sampling: Sampling,
    device: torch.device | str = "cpu",
) -> Picture:
    """Render a folded model (of one frame) tile by tile, so that memory does not grow with the picture."""
    origins, directions = camera_rays(camera, device)
    tile = _rays_per_tile(sampling, torch.device(device))
    colours, depths = [], []
    for start in range(0, len(origins), tile):
        rays = slice(start, start + tile)
        segments = space.clip(origins[rays].unsqueeze(0), directions[rays].unsqueeze(0))
        rendered = render_rays(model, segments, directions[rays].unsqueeze(0), sampling)
        colours.append(rendered.rgb[0].clamp(0, 1))
        depths.append(_depth(segments, rendered.weights, rendered.edges)[0])
    return Picture(
        torch.cat(colours).view(camera.height, camera.width, 3).cpu(),
        torch.cat(depths).view(camera.height, camera.width).cpu(),
    )


def rgb_to_uint8(rgb: Float[Tensor, "*pixel 3"]) -> UInt8[np.ndarray, "*pixel 3"]:
    """RGB in 0..1 to 8 bits, rounded."""
    values: UInt8[np.ndarray, "*pixel 3"] = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return values


def depth_picture(
    depth: Float[Tensor, "height width"], nearest: float, farthest: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Depth as a grey picture: disparity, from black (``farthest``, world units) to white (``nearest``)."""
    disparity = (1 / depth.clamp_min(1e-6) - 1 / farthest) / (1 / nearest - 1 / farthest)
    return rgb_to_uint8(disparity.clamp(0, 1).unsqueeze(-1).expand(-1, -1, 3))


def space_of(header: Header) -> Space:
    """The space a header describes."""
    matrix = np.array(header.space.matrix, dtype=np.float64).reshape(4, 4)
    return Space(header.space.kind, matrix, header.space.near)


def camera_of(record: CameraRecord) -> Camera:
    """The camera a header's record describes."""
    return Camera(
        name=record.name,
        width=record.width,
        height=record.height,
        focal_x=record.focal_x,
        focal_y=record.focal_y,
        centre_x=record.centre_x,
        centre_y=record.centre_y,
        camera_to_world=np.array(record.camera_to_world, dtype=np.float64).reshape(3, 4),
    )


def _sampling_of(header: Header) -> Sampling:
    found = header.sampling
    coarse, fine, union = found.get("coarse"), found.get("fine"), found.get("union")
    for name, value in (("coarse", coarse), ("fine", fine)):
        if not isinstance(value, int) or isinstance(value, bool) or not 2 <= value <= _MOST_SAMPLES:
            raise FormatError(f"header.sampling.{name}: found {value!r}, expected 2 to {_MOST_SAMPLES}")
    if not isinstance(union, bool):
        raise FormatError(f"header.sampling.union: found {union!r}, expected true or false")
    assert isinstance(coarse, int)
    assert isinstance(fine, int)
    return Sampling(coarse, fine, union)


def _rays_per_tile(sampling: Sampling, device: torch.device) -> int:
    """Small tiles stay in the CPU's caches; a GPU wants large ones."""
    samples = 2**17 if device.type == "cpu" else 2**23
    return max(64, samples // (sampling.coarse + sampling.fine))


def _depth(segments: Segments, weights: Tensor, edges: Tensor) -> Tensor:
    return segments.distance(median_position(weights, edges))
