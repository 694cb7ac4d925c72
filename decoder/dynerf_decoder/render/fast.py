"""Fast rendering of one frame's rays, for decoding only: what is invisible is not computed.

- Rays that miss the space are not rendered.
- Fine samples are evaluated front to back, a part of the ray at a time. A ray ends when its transmittance
  falls below ``_MIN_TRANSMITTANCE``; its weights are scaled to sum to one.
- Samples in empty cells of the file's occupancy grid are not evaluated.
- Models with ray-marching kernels use them; others compute matrix products in bfloat16 if the machine has
  instructions for it.

``reference.render_rays`` is the reference in the tests.
"""

import functools

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dynerf_decoder.fields.field import FoldedDensity, FoldedField, FoldedModel, MarchedModel
from dynerf_decoder.scene.contraction import RayIntervals
from dynerf_decoder.scene.occupancy_grid import occupied_at
from dynerf_decoder.scene.ray_sampling import Sampling, importance_edges, merge_edges, stratified_edges
from dynerf_format import CellGrid

from .reference import Rendered
from .volume_rendering import median_position, ray_weights

_MIN_TRANSMITTANCE = 0.05  # what is behind changes a pixel by at most this fraction
_PARTS = 3  # of the fine samples; more parts end rays earlier, but each has its own overhead


def trace_fast(
    model: FoldedModel, intervals: RayIntervals, directions: Float[Tensor, "1 ray 3"], sampling: Sampling
) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray"]]:
    """Colours of one frame's rays, and the positions (0 to 1) at which half the light is absorbed."""
    if isinstance(model, MarchedModel):
        marched = model.march(intervals, directions, sampling, _MIN_TRANSMITTANCE)
        if marched is not None:
            return marched
    rendered = render_rays_fast(model, intervals, directions, sampling)
    return rendered.rgb, median_position(rendered.weights, rendered.edges)


def render_rays_fast(
    model: FoldedModel, intervals: RayIntervals, directions: Float[Tensor, "1 ray 3"], sampling: Sampling
) -> Rendered:
    """As ``render_rays`` without jitter, for one frame, in torch. Not differentiable.

    Rays that miss are black; when other rays hit, their weights are zero.
    """
    device = directions.device.type
    with torch.autocast(device, torch.bfloat16, enabled=has_bfloat16(device)):
        hit = intervals.hit[0].nonzero().squeeze(-1)
        if len(hit) in (0, len(intervals.hit[0])):
            return _render(model, intervals, directions, sampling)
        return _scatter(_render(model, intervals.pick(hit), directions[:, hit], sampling), hit, intervals.hit)


@functools.cache
def has_bfloat16(kind: str) -> bool:
    """Whether the device has instructions for matrix products in bfloat16."""
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _render(
    model: FoldedModel, intervals: RayIntervals, directions: Float[Tensor, "1 ray 3"], sampling: Sampling
) -> Rendered:
    rays = tuple(directions.shape[:-1])
    coarse_grid, fine_grid = (None, None) if model.occupancy is None else model.occupancy.grids
    coarse_edges = stratified_edges(rays, sampling.coarse, None, directions.device)
    coarse_weights = _coarse_weights(model.coarse, coarse_grid, intervals, coarse_edges)
    edges = importance_edges(coarse_edges, coarse_weights, sampling.drawn, None)
    if sampling.union:
        edges = merge_edges(coarse_edges, edges)
    rgb, weights = _front_to_back(model.fine, fine_grid, intervals, directions, edges)
    return Rendered(rgb * intervals.hit.unsqueeze(-1), edges, weights, None, coarse_edges, coarse_weights)


def _coarse_weights(
    field: FoldedDensity, grid: CellGrid | None, intervals: RayIntervals, edges: Tensor
) -> Float[Tensor, "1 ray bin"]:
    points = intervals.at((edges[..., 1:] + edges[..., :-1]) / 2)
    if grid is None:
        density = field.density(points).float()
    else:
        occupied = occupied_at(grid, points)
        density = points.new_zeros(occupied.shape)
        density[occupied] = field.density(points[occupied].view(1, -1, 1, 3)).float().flatten()
    return ray_weights(density, edges.diff(dim=-1) * intervals.length().unsqueeze(-1))


def _query(
    field: FoldedField,
    grid: CellGrid | None,
    points: Float[Tensor, "1 ray sample 3"],
    directions: Float[Tensor, "1 ray 3"],
    last: bool,
) -> tuple[Float[Tensor, "1 ray sample"], Float[Tensor, "1 ray sample channel"]]:
    """Query the field; zero in empty cells, except for the last sample of a ray when ``last``."""
    if grid is None:
        return field.query(points, directions)
    occupied = occupied_at(grid, points)
    if last:
        occupied[..., -1] = True  # opaque in any case
    sample_directions = directions.unsqueeze(-2).expand_as(points)[occupied].unsqueeze(0)
    results = field.query(points[occupied].view(1, -1, 1, 3), sample_directions)
    density, features = (
        points.new_zeros(occupied.shape),
        points.new_zeros(*occupied.shape, results[1].shape[-1]),
    )
    density[occupied], features[occupied] = results[0].float().flatten(), results[1].float()[0, :, 0]
    return density, features


def _front_to_back(
    field: FoldedField,
    grid: CellGrid | None,
    intervals: RayIntervals,
    directions: Float[Tensor, "1 ray 3"],
    edges: Tensor,
) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray bin"]]:
    """Colours and weights; weights behind the point where a ray became opaque are zero."""
    points = intervals.at((edges[..., 1:] + edges[..., :-1]) / 2)
    lengths = edges.diff(dim=-1) * intervals.length().unsqueeze(-1)
    weights, features = torch.zeros_like(lengths), None
    transmittance = torch.ones_like(lengths[..., 0])
    active = torch.arange(lengths.shape[1], device=lengths.device)
    count = lengths.shape[-1]
    part = -(-count // _PARTS)
    for start in range(0, count, part):
        stop = min(start + part, count)
        density, sample_features = _query(
            field, grid, points[:, active, start:stop], directions[:, active], last=stop == count
        )
        depth = density.float() * lengths[:, active, start:stop]
        after = transmittance[:, active, None] * torch.exp(-torch.cumsum(depth, dim=-1))
        if stop == count:
            after[..., -1] = 0  # the last interval is opaque
        before = torch.cat([transmittance[:, active, None], after[..., :-1]], dim=-1)
        new_weights = before - after
        if features is None:
            features = lengths.new_zeros(1, lengths.shape[1], sample_features.shape[-1])
        features[:, active] += (new_weights.unsqueeze(-1) * sample_features).sum(dim=-2)
        weights[:, active, start:stop] = new_weights
        transmittance[:, active] = after[..., -1]
        active = active[after[0, :, -1] > _MIN_TRANSMITTANCE]
        if len(active) == 0:
            break
    assert features is not None
    scale = 1 / (1 - transmittance).unsqueeze(-1)
    return field.shade(features * scale, directions), weights * scale


def _scatter(rendered: Rendered, hit: Int[Tensor, " n"], mask: Tensor) -> Rendered:
    """Scatter the results of the rays that hit among all rays; the others are black, with zero weights."""

    def scattered(values: Tensor) -> Tensor:
        result = values.new_zeros(1, mask.shape[1], *values.shape[2:])
        result[:, hit] = values
        return result

    return Rendered(
        scattered(rendered.rgb), scattered(rendered.edges), scattered(rendered.weights), None,
        scattered(rendered.coarse_edges), scattered(rendered.coarse_weights),
    )  # fmt: skip
