"""Pictures: a folded model seen by a camera, rendered tile by tile.

On a CPU the tiles are spread over threads that compute alone: operations on one tile are too small to be
shared between cores. A tile's pixels do not depend on who renders it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dynerf_decoder.backends.cpu.threads import in_threads
from dynerf_decoder.cameras.camera import Camera, camera_rays
from dynerf_decoder.fields.field import FoldedModel
from dynerf_decoder.scene.contraction import RayIntervals, Space
from dynerf_decoder.scene.ray_sampling import Sampling

from .fast import trace_fast
from .reference import render_rays
from .volume_rendering import median_position

# At once: on a CPU what stays in its caches, and at most 256 MiB; a GPU wants large tiles.
_SAMPLES = {"cpu": 2**18, "cuda": 2**23}
_FLOATS = {"cpu": 2**26, "cuda": 2**30}
_TOGETHER = 8  # the number of tiles is a multiple of it, whatever the number of threads


class StoppedError(Exception):
    """A render was given up half-way because its ``stop`` said so; nobody's mistake."""


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


def render_picture(
    model: FoldedModel,
    camera: Camera,
    space: Space,
    sampling: Sampling,
    device: torch.device | str = "cpu",
    stop: Callable[[], bool] | None = None,
    *,
    plain: bool = False,
) -> Frame:
    """Render a folded model of one frame; only the result grows with the picture.

    ``stop`` is asked before each tile; StoppedError when it says yes. ``plain`` is the reference: every
    sample in full precision by torch alone, one tile after the other. Without it the picture differs by less
    than what 45 dB of PSNR allow.
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
        segments = (space.clip_plain if plain else space.clip)(origins, directions)
        colours, middles = (_trace_plain if plain else trace_fast)(model, segments, directions, sampling)
        rgb[rays] = colours[0].clamp(0, 1)
        depth[rays] = segments.distance(middles)[0]

    tiles = _equal_tiles(pixels, rays_per_tile(model, sampling, device))
    if plain or device.type != "cpu":
        for tile in tiles:
            render_tile(tile)
    else:
        in_threads(render_tile, tiles)
    return Frame(rgb.view(camera.height, camera.width, 3), depth.view(camera.height, camera.width))


def _equal_tiles(pixels: int, most: int) -> list[slice]:
    """Stretches of at most ``most`` pixels, so many that threads get as many each."""
    count = -(-pixels // most)
    if count > 1:
        count = -(-count // _TOGETHER) * _TOGETHER
    size = -(-pixels // count)
    return [slice(start, min(start + size, pixels)) for start in range(0, pixels, size)]


def _trace_plain(
    model: FoldedModel, segments: RayIntervals, directions: Float[Tensor, "1 ray 3"], sampling: Sampling
) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray"]]:
    rendered = render_rays(model, segments, directions, sampling)
    return rendered.rgb, median_position(rendered.weights, rendered.edges)


def rays_per_tile(model: FoldedModel, sampling: Sampling, device: torch.device) -> int:
    """Wide fields, which keep much of each sample at once, get smaller tiles."""
    kind = "cpu" if device.type == "cpu" else "cuda"
    at_once = min(_SAMPLES[kind], _FLOATS[kind] // model.floats_per_sample)
    return max(1, at_once // (sampling.coarse + sampling.fine))


def rgb_to_uint8(rgb: Float[Tensor, "*pixel 3"]) -> UInt8[np.ndarray, "*pixel 3"]:
    """RGB in 0..1 to 8 bits, rounded, in main memory."""
    values: UInt8[np.ndarray, "*pixel 3"] = rounded_rgb(rgb).cpu().numpy()
    return values


def rounded_rgb(rgb: Float[Tensor, "*pixel 3"]) -> UInt8[Tensor, "*pixel 3"]:
    """RGB in 0..1 to 8 bits, rounded, where it lies: a quarter of the bytes have to leave a GPU."""
    return (rgb.clamp(0, 1) * 255).round().to(torch.uint8)


def depth_picture(
    depth: Float[Tensor, "height width"], nearest: float, farthest: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Depth as a grey picture: disparity, from black (``farthest``, world units) to white (``nearest``).

    Where a ray misses the space, its depth is 0, the picture is black.
    """
    return rgb_to_uint8(grey_depth(depth, nearest, farthest))


def grey_depth(
    depth: Float[Tensor, "height width"], nearest: float, farthest: float
) -> Float[Tensor, "height width 3"]:
    """``depth_picture`` before it is rounded, where the depth lies."""
    disparity = (1 / depth.clamp_min(1e-6) - 1 / farthest) / (1 / nearest - 1 / farthest)
    grey = torch.where(depth > 0, disparity, 0.0)
    return grey.unsqueeze(-1).expand(-1, -1, 3)
