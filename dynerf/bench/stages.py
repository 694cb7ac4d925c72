"""A frame of the plain path taken apart: the time of each stage beside the least it could take.

    fold       the latent into the weights
    rays       pixels to rays, clipped to the cube
    coarse     densities along the rays, and their weights
    sample     where the fine samples lie
    fine       look-up and network: densities and features of the fine samples
    composite  weights, sums along the rays, colour, and the way to main memory
    convert    to 8 bits (on the CPU)
    encode     a movie of this one picture, opened, coded, closed and read back (on the CPU)

Tile by tile as ``render_picture`` does it, one tile after the other, in float32. How the floor counts bytes
and FLOPs is told in ``work``.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from dynerf_decoder.camera import Camera, camera_rays
from dynerf_decoder.clip import Clip
from dynerf_decoder.fields.field import FoldedField, FoldedModel
from dynerf_decoder.movie import open_output
from dynerf_decoder.picture import rays_per_tile, rgb_to_uint8
from dynerf_decoder.sampling import importance_edges, merge_edges, stratified_edges
from dynerf_decoder.space import Segments
from dynerf_decoder.volume import accumulate, ray_weights
from dynerf_format.temporary import temporary_folder

from .effort import Effort
from .machine import Ceilings, Laps
from .work import frame_work

_ON_CPU = ("convert", "encode")


@dataclass(frozen=True)
class Stage:
    """Seconds taken (the median), bytes and FLOPs at the least, and the seconds these would take."""

    device: str
    seconds: float
    bytes: int
    flops: int
    floor_seconds: float

    @property
    def ratio(self) -> float:
        """How many times longer than its floor the stage takes."""
        return self.seconds / self.floor_seconds


def measure_stages(
    clip: Clip, effort: Effort, ceilings: Mapping[str, Ceilings], watch: Callable[[int, int], None]
) -> dict[str, Stage]:
    """Render the first frame in stages; ``ceilings`` by type of device; ``watch`` is told repetitions."""
    camera = clip.cameras[0].with_size(*effort.stage_size)
    times: list[dict[str, float]] = []
    while not effort.enough(len(times), sum(sum(laps.values()) for laps in times)):
        times.append(_timed_frame(clip, camera))
        if len(times) <= effort.least:
            watch(len(times), effort.least)
    work = frame_work(clip.model(0), clip.fold(0.0), clip.sampling, camera.width * camera.height)
    stages = {}
    for name, part in work.items():
        device = "cpu" if name in _ON_CPU else clip.device.type
        seconds = statistics.median(laps[name] for laps in times)
        floor = ceilings[device].floor(part.bytes, part.flops)
        stages[name] = Stage(device, seconds, part.bytes, part.flops, floor)
    return stages


@torch.no_grad()
def _timed_frame(clip: Clip, camera: Camera) -> dict[str, float]:
    laps = Laps(clip.device)
    folded = clip.fold(0.0).plain()
    laps.lap("fold")
    pixels, size = camera.width * camera.height, rays_per_tile(folded, clip.sampling, clip.device)
    parts = [
        _render_tile(clip, folded, camera, slice(start, min(start + size, pixels)), laps)
        for start in range(0, pixels, size)
    ]
    rgb = torch.cat(parts).view(camera.height, camera.width, 3)
    laps.restart()
    picture = rgb_to_uint8(rgb)
    laps.lap("convert")
    _encode(picture, clip.fps)
    laps.lap("encode")
    return laps.seconds


def _render_tile(clip: Clip, folded: FoldedModel, camera: Camera, pixels: slice, laps: Laps) -> Tensor:
    """Colours of some pixels, in main memory; the calls of ``renderer.render_rays`` one by one."""
    laps.restart()
    origins, directions = (part.unsqueeze(0) for part in camera_rays(camera, clip.device, pixels))
    segments = clip.space.clip_plain(origins, directions)
    laps.lap("rays")
    shape = tuple(directions.shape[:-1])
    edges = stratified_edges(shape, clip.sampling.coarse, None, clip.device)
    points = _middles(segments, edges)
    coarse = folded.coarse
    density = (
        coarse.query(points, directions)[0] if isinstance(coarse, FoldedField) else coarse.density(points)
    )
    weights = ray_weights(density, _lengths(segments, edges))
    laps.lap("coarse")
    if clip.sampling.union:
        edges = merge_edges(edges, importance_edges(edges, weights, clip.sampling.fine, None))
    else:
        edges = importance_edges(edges, weights, clip.sampling.fine + 1, None)
    laps.lap("sample")
    density, features = folded.fine.query(_middles(segments, edges), directions)
    laps.lap("fine")
    weights = ray_weights(density, _lengths(segments, edges))
    rgb = folded.fine.shade(accumulate(weights, features), directions) * segments.hit.unsqueeze(-1)
    colours = rgb[0].clamp(0, 1).cpu()
    laps.lap("composite")
    return colours


def _middles(segments: Segments, edges: Tensor) -> Tensor:
    return segments.at((edges[..., 1:] + edges[..., :-1]) / 2)


def _lengths(segments: Segments, edges: Tensor) -> Tensor:
    return edges.diff(dim=-1) * segments.length().unsqueeze(-1)


def _encode(picture: np.ndarray, fps: Fraction) -> None:
    height, width, _ = picture.shape
    with (
        temporary_folder("dynerf-bench-") as folder,
        open_output(folder / "picture.mp4", width, height, fps, 1) as out,
    ):
        out.write(picture)
