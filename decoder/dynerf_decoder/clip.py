"""A .dnv file opened for rendering: fold the latents of a moment, render any camera.

Time is in frames of the clip and may be fractional: latents are interpolated linearly between frames.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from dynerf_format.errors import FormatError, ViewError
from dynerf_format.reader import Reader
from dynerf_format.records import CameraRecord, Header

from .camera import Camera, camera_rays, pixel_directions
from .fields.build import load_model
from .fields.field import FoldedModel, Model
from .renderer import Sampling, render_rays
from .space import Segments, Space
from .viewing_volume import distance_to_hull
from .volume import median_position

_MOST_SAMPLES = 4096
_MOST_SKEW = 1e-2  # of R^T R from the identity
_MOST_DISTANCE = 1e9  # world units from the origin
_MOST_PIXELS = 1e9  # of focal lengths and principal points; focal lengths are at least 1 / this
_CPU_SAMPLES, _CPU_FLOATS = 2**17, 2**26  # at once: what stays in caches, and at most 256 MiB
_GPU_SAMPLES, _GPU_FLOATS = 2**23, 2**30


class StoppedError(Exception):
    """A render was given up half-way because its ``stop`` said so; nobody's mistake."""


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

    def __init__(
        self,
        reader: Reader,
        device: torch.device | str = "cpu",
        name: str = "clip",
        layers: int | None = None,
    ) -> None:
        """``name`` is what errors call the clip; ``layers`` is how many quality layers to use at most.

        Raises FormatError when the header cannot be rendered, ViewError when ``layers`` is below 1.
        """
        self.reader = reader
        self.header: Header = reader.header
        self.device = torch.device(device)
        self.name = name
        with self._naming():
            self.space = space_of(self.header)
            self.sampling = _sampling_of(self.header)
            self.cameras = tuple(camera_of(record) for record in self.header.cameras)
            self._volume = _volume_of(self.header)
        self._models: dict[int, Model]
        self.layers = layers

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.header.frames

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return self.header.fps

    def frame_at(self, seconds: float) -> float:
        """The moment ``seconds`` from the start, in frames; whole when it is so but for rounding."""
        frame = seconds * self.fps.numerator / self.fps.denominator
        nearest = round(frame)
        return float(nearest) if abs(frame - nearest) < 1e-6 else frame

    def outside(self, camera: Camera) -> float:
        """How far a camera is outside the declared viewing volume, in world units; 0 without one."""
        return distance_to_hull(self._volume, camera.origin) if len(self._volume) else 0.0

    @property
    def layers(self) -> int | None:
        """How many quality layers of the weights are used at most; None: all. May be changed at any time."""
        return self._layers

    @layers.setter
    def layers(self, layers: int | None) -> None:
        if layers is not None and layers < 1:
            raise ViewError(f"{layers} layers asked for, expected at least 1")
        self._layers = layers
        self._models = {}

    def model(self, segment: int) -> Model:
        """The model of a segment, on the device; the last one asked for is kept.

        Raises FormatError when the field's settings and weights do not fit together.
        """
        if segment not in self._models:
            weights = self.reader.weights(segment, self.layers)
            with self._naming():
                model = load_model(self.header.field.kind, self.header.field.settings, weights)
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
                f"{self.name}: latents of {latents.shape[1]} numbers, the field's settings say "
                f"{model.latent_size}"
            )
        latent = latents[0] if share == 0 else torch.lerp(latents[0], latents[1], share)
        return model.fold(latent.unsqueeze(0))

    def depth_range(self) -> tuple[float, float]:
        """The least and greatest distance (world units) at which the clip's cameras can see anything.

        Raises ViewError when none of them can.
        """
        nearest, farthest = [], []
        for camera in self.cameras:
            origins, directions = camera_rays(camera.with_size(8, 8))
            segments = self.space.clip(origins, directions)
            if not segments.hit.any():
                continue
            nearest.append(float(segments.distance_in[segments.hit].min()))
            farthest.append(float(segments.distance_out[segments.hit].max()))
        if not nearest:
            raise ViewError(f"{self.name}: no camera sees anything, so there is no distance to show")
        return max(min(nearest), 1e-3 * max(farthest)), max(farthest)

    def render(self, camera: Camera, frame: float, stop: Callable[[], bool] | None = None) -> Picture:
        """The picture a camera sees at a moment (in frames).

        ``stop`` is asked before each tile; StoppedError when it says yes.
        """
        folded = self.fold(frame)
        floats = max(map(_floats_per_sample, self._models.values()))
        return render_picture(folded, camera, self.space, self.sampling, self.device, floats, stop)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Put the clip's name before what is wrong with its header or weights."""
        try:
            yield
        except FormatError as error:
            raise type(error)(f"{self.name}: {error}") from error


@torch.no_grad()
def render_picture(
    model: FoldedModel,
    camera: Camera,
    space: Space,
    sampling: Sampling,
    device: torch.device | str = "cpu",
    floats_per_sample: int = 1,
    stop: Callable[[], bool] | None = None,
) -> Picture:
    """Render a folded model (of one frame) tile by tile: only the result grows with the picture.

    ``floats_per_sample`` is what the field keeps of a sample at once; wide fields get smaller tiles. ``stop``
    is asked before each tile; StoppedError when it says yes.
    """
    pixels = camera.width * camera.height
    tile = _rays_per_tile(sampling, torch.device(device), floats_per_sample)
    rgb, depth = torch.empty(pixels, 3), torch.empty(pixels)
    for start in range(0, pixels, tile):
        if stop is not None and stop():
            raise StoppedError
        rays = slice(start, min(start + tile, pixels))
        origins, directions = _rays_of(camera, rays, device)
        segments = space.clip(origins, directions)
        rendered = render_rays(model, segments, directions, sampling)
        rgb[rays] = rendered.rgb[0].clamp(0, 1).cpu()
        depth[rays] = _depth(segments, rendered.weights, rendered.edges)[0].cpu()
    return Picture(rgb.view(camera.height, camera.width, 3), depth.view(camera.height, camera.width))


def rgb_to_uint8(rgb: Float[Tensor, "*pixel 3"]) -> UInt8[np.ndarray, "*pixel 3"]:
    """RGB in 0..1 to 8 bits, rounded."""
    values: UInt8[np.ndarray, "*pixel 3"] = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return values


def depth_picture(
    depth: Float[Tensor, "height width"], nearest: float, farthest: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Depth as a grey picture: disparity, from black (``farthest``, world units) to white (``nearest``).

    Where a ray misses the space, its depth is 0, the picture is black.
    """
    disparity = (1 / depth.clamp_min(1e-6) - 1 / farthest) / (1 / nearest - 1 / farthest)
    grey = torch.where(depth > 0, disparity, 0.0)
    return rgb_to_uint8(grey.unsqueeze(-1).expand(-1, -1, 3))


def space_of(header: Header) -> Space:
    """The space a header describes."""
    matrix = np.array(header.space.matrix, dtype=np.float64).reshape(4, 4)
    return Space(header.space.kind, matrix, header.space.near)


def camera_of(record: CameraRecord) -> Camera:
    """The camera a header's record describes. Raises FormatError when no picture can be taken with it."""
    pose = np.array(record.camera_to_world, dtype=np.float64).reshape(3, 4)
    where = f"header: camera {record.name!r}"
    if np.abs(pose).max() > _MOST_DISTANCE:
        raise FormatError(f"{where}: is further than {_MOST_DISTANCE:g} from the origin")
    if np.abs(pose[:, :3].T @ pose[:, :3] - np.eye(3)).max() > _MOST_SKEW:
        raise FormatError(f"{where}: the first three columns of camera_to_world are no rotation")
    sizes = (record.focal_x, record.focal_y, 1 / record.focal_x, 1 / record.focal_y)
    if max(*sizes, abs(record.centre_x), abs(record.centre_y)) > _MOST_PIXELS:
        raise FormatError(f"{where}: focal length or principal point beyond {_MOST_PIXELS:g} pixels")
    return Camera(
        name=record.name,
        width=record.width,
        height=record.height,
        focal_x=record.focal_x,
        focal_y=record.focal_y,
        centre_x=record.centre_x,
        centre_y=record.centre_y,
        camera_to_world=pose,
    )


def _volume_of(header: Header) -> Float[np.ndarray, "corner 3"]:
    corners = np.array(header.viewing_volume, dtype=np.float64).reshape(-1, 3)
    if len(corners) and np.abs(corners).max() > _MOST_DISTANCE:
        raise FormatError(f"header.viewing_volume: reaches further than {_MOST_DISTANCE:g} from the origin")
    return corners


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


def _rays_of(
    camera: Camera, pixels: slice, device: torch.device | str
) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray 3"]]:
    """Origins and directions of some pixels' rays, as ``camera_rays`` has them."""
    rows, columns = np.divmod(np.arange(pixels.start, pixels.stop), camera.width)
    directions = pixel_directions(camera, columns + 0.5, rows + 0.5)
    rays = torch.as_tensor(directions, dtype=torch.float32, device=device)
    origin = torch.as_tensor(camera.origin, dtype=torch.float32, device=device)
    return origin.expand_as(rays).unsqueeze(0), rays.unsqueeze(0)


def _rays_per_tile(sampling: Sampling, device: torch.device, floats_per_sample: int) -> int:
    """Small tiles stay in the CPU's caches; a GPU wants large ones."""
    samples, floats = (_CPU_SAMPLES, _CPU_FLOATS) if device.type == "cpu" else (_GPU_SAMPLES, _GPU_FLOATS)
    return max(1, min(samples, floats // floats_per_sample) // (sampling.coarse + sampling.fine))


def _floats_per_sample(model: nn.Module) -> int:
    """The widest layer, in and out, and what is looked up in planes; the latent's share is counted too."""
    shapes = [tuple(parameter.shape) for parameter in model.parameters()]
    layers = [sum(shape) for shape in shapes if len(shape) == 2]
    planes = [3 * shape[1] for shape in shapes if len(shape) == 4]
    return max(layers, default=1) + sum(planes)


def _depth(segments: Segments, weights: Tensor, edges: Tensor) -> Tensor:
    return segments.distance(median_position(weights, edges))
