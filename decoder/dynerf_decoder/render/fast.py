"""The fast way to render rays of one frame, for decoding only: what cannot be seen is not computed.

- Rays that miss the space are not rendered.
- Fine samples are taken front to back, a part of the ray at a time. A ray whose transmittance has fallen
  below ``_OPAQUE`` takes no further part; its weights are scaled to sum to one.
- Samples in cells that the file says are empty are not asked for.
- A model that can follow whole rays by kernels does so; others do matrix products in bfloat16 where the
  machine has instructions for it.

``renderer.render_rays`` is the reference that this is compared with.
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

_OPAQUE = 0.05  # transmittance; what lies behind changes a pixel by at most that share
_PARTS = 3  # of the fine samples; more find out sooner, but each costs its own copies


def trace_fast(
    model: FoldedModel, segments: RayIntervals, directions: Float[Tensor, "1 ray 3"], sampling: Sampling
) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray"]]:
    """Colours of one frame's rays, and the positions (0 to 1) behind which half of the light is."""
    if isinstance(model, MarchedModel):
        marched = model.march(segments, directions, sampling, _OPAQUE)
        if marched is not None:
            return marched
    rendered = render_rays_fast(model, segments, directions, sampling)
    return rendered.rgb, median_position(rendered.weights, rendered.edges)


def render_rays_fast(
    model: FoldedModel, segments: RayIntervals, directions: Float[Tensor, "1 ray 3"], sampling: Sampling
) -> Rendered:
    """As ``render_rays`` without noise, for one frame, by torch alone. Not differentiable.

    Rays that miss are black; among others that hit, they have no weights.
    """
    device = directions.device.type
    with torch.autocast(device, torch.bfloat16, enabled=has_bfloat16(device)):
        hit = segments.hit[0].nonzero().squeeze(-1)
        if len(hit) in (0, len(segments.hit[0])):
            return _render(model, segments, directions, sampling)
        return _spread(_render(model, segments.pick(hit), directions[:, hit], sampling), hit, segments.hit)


@functools.cache
def has_bfloat16(kind: str) -> bool:
    """Whether matrix products in bfloat16 are fast: done by instructions of their own."""
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _render(
    model: FoldedModel, segments: RayIntervals, directions: Float[Tensor, "1 ray 3"], sampling: Sampling
) -> Rendered:
    rays = tuple(directions.shape[:-1])
    coarse_grid, fine_grid = (None, None) if model.occupancy is None else model.occupancy.grids
    coarse_edges = stratified_edges(rays, sampling.coarse, None, directions.device)
    coarse_weights = _coarse_weights(model.coarse, coarse_grid, segments, coarse_edges)
    new = sampling.fine if sampling.union else sampling.fine + 1
    edges = importance_edges(coarse_edges, coarse_weights, new, None)
    if sampling.union:
        edges = merge_edges(coarse_edges, edges)
    rgb, weights = _front_to_back(model.fine, fine_grid, segments, directions, edges)
    return Rendered(rgb * segments.hit.unsqueeze(-1), edges, weights, None, coarse_edges, coarse_weights)


def _coarse_weights(
    field: FoldedDensity, grid: CellGrid | None, segments: RayIntervals, edges: Tensor
) -> Float[Tensor, "1 ray bin"]:
    points = segments.at((edges[..., 1:] + edges[..., :-1]) / 2)
    if grid is None:
        density = field.density(points).float()
    else:
        occupied = occupied_at(grid, points)
        density = points.new_zeros(occupied.shape)
        density[occupied] = field.density(points[occupied].view(1, -1, 1, 3)).float().flatten()
    return ray_weights(density, edges.diff(dim=-1) * segments.length().unsqueeze(-1))


def _query(
    field: FoldedField,
    grid: CellGrid | None,
    points: Float[Tensor, "1 ray sample 3"],
    directions: Float[Tensor, "1 ray 3"],
    last: bool,
) -> tuple[Float[Tensor, "1 ray sample"], Float[Tensor, "1 ray sample channel"]]:
    """As the field's; nothing where the grid is empty, but in a sample that is its ray's ``last``."""
    if grid is None:
        return field.query(points, directions)
    occupied = occupied_at(grid, points)
    if last:
        occupied[..., -1] = True  # opaque, whatever is there
    seen_from = directions.unsqueeze(-2).expand_as(points)[occupied].unsqueeze(0)
    found = field.query(points[occupied].view(1, -1, 1, 3), seen_from)
    density, features = (
        points.new_zeros(occupied.shape),
        points.new_zeros(*occupied.shape, found[1].shape[-1]),
    )
    density[occupied], features[occupied] = found[0].float().flatten(), found[1].float()[0, :, 0]
    return density, features


def _front_to_back(
    field: FoldedField,
    grid: CellGrid | None,
    segments: RayIntervals,
    directions: Float[Tensor, "1 ray 3"],
    edges: Tensor,
) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray bin"]]:
    """Colours and weights; weights behind the point where a ray became opaque are zero."""
    points = segments.at((edges[..., 1:] + edges[..., :-1]) / 2)
    lengths = edges.diff(dim=-1) * segments.length().unsqueeze(-1)
    weights, features = torch.zeros_like(lengths), None
    through = torch.ones_like(lengths[..., 0])
    alive = torch.arange(lengths.shape[1], device=lengths.device)
    count = lengths.shape[-1]
    part = -(-count // _PARTS)
    for start in range(0, count, part):
        stop = min(start + part, count)
        density, seen = _query(
            field, grid, points[:, alive, start:stop], directions[:, alive], last=stop == count
        )
        optical = density.float() * lengths[:, alive, start:stop]
        after = through[:, alive, None] * torch.exp(-torch.cumsum(optical, dim=-1))
        if stop == count:
            after[..., -1] = 0  # the last interval is opaque
        before = torch.cat([through[:, alive, None], after[..., :-1]], dim=-1)
        taken = before - after
        if features is None:
            features = lengths.new_zeros(1, lengths.shape[1], seen.shape[-1])
        features[:, alive] += (taken.unsqueeze(-1) * seen).sum(dim=-2)
        weights[:, alive, start:stop] = taken
        through[:, alive] = after[..., -1]
        alive = alive[after[0, :, -1] > _OPAQUE]
        if len(alive) == 0:
            break
    assert features is not None
    scale = 1 / (1 - through).unsqueeze(-1)
    return field.shade(features * scale, directions), weights * scale


def _spread(rendered: Rendered, hit: Int[Tensor, " n"], mask: Tensor) -> Rendered:
    """Results of the rays that hit, put back among all; the others are black, with no weight."""

    def among_all(values: Tensor) -> Tensor:
        result = values.new_zeros(1, mask.shape[1], *values.shape[2:])
        result[:, hit] = values
        return result

    return Rendered(
        among_all(rendered.rgb), among_all(rendered.edges), among_all(rendered.weights), None,
        among_all(rendered.coarse_edges), among_all(rendered.coarse_weights),
    )  # fmt: skip
