"""Renders a camera's view of a folded model, tile by tile.

On a CPU the tiles are distributed over threads, because operations on one tile are too small to be split
between cores. A tile's pixels do not depend on the thread that renders it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dynerf_decoder.cameras.camera import Camera, camera_rays
from dynerf_decoder.fields.field import FoldedModel
from dynerf_decoder.scene.contraction import RayIntervals, Space
from dynerf_decoder.scene.ray_sampling import Sampling
from dynerf_decoder.threads import in_threads

from .fast import trace_fast
from .reference import render_rays
from .volume_rendering import median_position

# Samples and numbers per tile: a CPU's tiles fit its caches and 256 MiB; a GPU needs large tiles.
_TILE_SAMPLES = {"cpu": 2**18, "cuda": 2**23}
_TILE_FLOATS = {"cpu": 2**26, "cuda": 2**30}
_TILE_MULTIPLE = 8  # the number of tiles is a multiple of this, for any number of threads


class StoppedError(Exception):
    """Rendering was cancelled because its ``stop`` returned True. Not an error of the input."""


@dataclass(frozen=True)
class Frame:
    """A rendered picture: RGB and depth as tensors on the device that rendered them.

    ``rgb`` is float32, display-referred (BT.709) in 0..1. ``depth`` is float32, the distance from the
    camera's centre along each pixel's ray (not z) to where half of the light is absorbed, in world units; 0
    where the ray misses the scene's space. Row 0 is the top. ``depth.numpy()`` needs a frame in main memory:
    ``cpu``.
    """

    rgb: Float[Tensor, "height width 3"]
    depth: Float[Tensor, "height width"]

    def numpy(self) -> UInt8[np.ndarray, "height width 3"]:
        """RGB rounded to 8 bits, in main memory."""
        return rgb_to_uint8(self.rgb)

    def cpu(self) -> "Frame":
        """The same frame in main memory."""
        return Frame(self.rgb.cpu(), self.depth.cpu())


def render_frame(
    model: FoldedModel,
    camera: Camera,
    space: Space,
    sampling: Sampling,
    device: torch.device | str = "cpu",
    stop: Callable[[], bool] | None = None,
    *,
    plain: bool = False,
) -> Frame:
    """Render a folded model of one frame; apart from the result, memory does not depend on the size.

    ``stop`` is called before each tile; when it returns True, StoppedError is raised. ``plain`` selects the
    reference: every sample in full precision, in torch, one tile after the other. Without it the picture is
    within 45 dB PSNR of the reference.
    """
    device = torch.device(device)
    if plain:
        model = model.plain()
    pixels = camera.width * camera.height
    rgb, depth = torch.empty(pixels, 3, device=device), torch.empty(pixels, device=device)

    @torch.no_grad()
    def render_tile(rays: slice) -> None:
        if stop is not None and stop():
            raise StoppedError
        origins, directions = (part.unsqueeze(0) for part in camera_rays(camera, device, rays))
        intervals = (space.clip_plain if plain else space.clip)(origins, directions)
        colours, medians = (_trace_plain if plain else trace_fast)(model, intervals, directions, sampling)
        rgb[rays] = colours[0].clamp(0, 1)
        depth[rays] = intervals.distance(medians)[0]

    tiles = _equal_tiles(pixels, rays_per_tile(model, sampling, device))
    if plain or device.type != "cpu":
        for tile in tiles:
            render_tile(tile)
    else:
        in_threads(render_tile, tiles)
    return Frame(rgb.view(camera.height, camera.width, 3), depth.view(camera.height, camera.width))


def _equal_tiles(pixels: int, max_pixels: int) -> list[slice]:
    """Ranges of at most ``max_pixels`` pixels, in a number that divides evenly among threads."""
    count = -(-pixels // max_pixels)
    if count > 1:
        count = -(-count // _TILE_MULTIPLE) * _TILE_MULTIPLE
    size = -(-pixels // count)
    return [slice(start, min(start + size, pixels)) for start in range(0, pixels, size)]


def _trace_plain(
    model: FoldedModel, intervals: RayIntervals, directions: Float[Tensor, "1 ray 3"], sampling: Sampling
) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray"]]:
    rendered = render_rays(model, intervals, directions, sampling)
    return rendered.rgb, median_position(rendered.weights, rendered.edges)


def rays_per_tile(model: FoldedModel, sampling: Sampling, device: torch.device) -> int:
    """The number of rays per tile; fields that need more memory per sample get smaller tiles."""
    kind = "cpu" if device.type == "cpu" else "cuda"
    samples = min(_TILE_SAMPLES[kind], _TILE_FLOATS[kind] // model.floats_per_sample)
    return max(1, samples // (sampling.coarse + sampling.fine))


def rgb_to_uint8(rgb: Float[Tensor, "*pixel 3"]) -> UInt8[np.ndarray, "*pixel 3"]:
    """RGB in 0..1 to 8 bits, rounded, in main memory."""
    values: UInt8[np.ndarray, "*pixel 3"] = rounded_rgb(rgb).cpu().numpy()
    return values


def rounded_rgb(rgb: Float[Tensor, "*pixel 3"]) -> UInt8[Tensor, "*pixel 3"]:
    """RGB in 0..1 to 8 bits, rounded, on its device: a quarter of the bytes to copy from a GPU."""
    return (rgb.clamp(0, 1) * 255).round().to(torch.uint8)
