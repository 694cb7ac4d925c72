"""Hierarchical volume rendering of folded models: one path for training and decoding.

The coarse field's weights form a histogram along each ray, the fine samples are drawn from it, and the fine
field's colours are accumulated (NeRF, 5.2). ``union`` evaluates the fine field on coarse and fine samples
together, as NeRF and the paper do. Without it only fine samples are evaluated, which suffices when the coarse
field is trained to bound the fine histogram.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.fields.field import FoldedDensity, FoldedField, FoldedModel
from dynerf_decoder.scene.contraction import RayIntervals
from dynerf_decoder.scene.ray_sampling import (
    Jitter,
    Sampling,
    importance_edges,
    merge_edges,
    stratified_edges,
)

from .volume_rendering import accumulate, ray_weights


@dataclass(frozen=True)
class Rendered:
    """The rendered rays. ``coarse_rgb`` is None when the coarse field has density only."""

    rgb: Float[Tensor, "frame ray 3"]
    edges: Float[Tensor, "frame ray edge"]
    weights: Float[Tensor, "frame ray bin"]
    coarse_rgb: Float[Tensor, "frame ray 3"] | None
    coarse_edges: Float[Tensor, "frame ray coarse_edge"]
    coarse_weights: Float[Tensor, "frame ray coarse_bin"]


def render_rays(
    model: FoldedModel,
    intervals: RayIntervals,
    directions: Float[Tensor, "frame ray 3"],
    sampling: Sampling,
    jitter: Jitter | None = None,
) -> Rendered:
    """Render rays. Training jitters the samples (``draw_jitter``), decoding does not.

    Rays that miss the space are black. Differentiable in the model, not in the rays.
    """
    shape = tuple(directions.shape[:-1])
    coarse_jitter, fine_jitter = jitter or (None, None)
    coarse_edges = stratified_edges(shape, sampling.coarse, coarse_jitter, directions.device)
    coarse_rgb, coarse_weights = _coarse_pass(model.coarse, intervals, directions, coarse_edges)
    edges = importance_edges(coarse_edges, coarse_weights, sampling.drawn, fine_jitter)
    if sampling.union:
        edges = merge_edges(coarse_edges, edges)
    rgb, weights = _colour_pass(model.fine, intervals, directions, edges)
    return Rendered(rgb, edges, weights, coarse_rgb, coarse_edges, coarse_weights)


def _coarse_pass(
    field: FoldedDensity, intervals: RayIntervals, directions: Tensor, edges: Tensor
) -> tuple[Tensor | None, Tensor]:
    if isinstance(field, FoldedField):
        return _colour_pass(field, intervals, directions, edges)
    density = field.density(intervals.at(_midpoints(edges)))
    return None, ray_weights(density, _lengths(intervals, edges))


def _colour_pass(
    field: FoldedField, intervals: RayIntervals, directions: Tensor, edges: Tensor
) -> tuple[Tensor, Tensor]:
    density, features = field.query(intervals.at(_midpoints(edges)), directions)
    weights = ray_weights(density, _lengths(intervals, edges))
    rgb = field.shade(accumulate(weights, features), directions)
    return rgb * intervals.hit.unsqueeze(-1), weights


def _midpoints(edges: Tensor) -> Tensor:
    return (edges[..., 1:] + edges[..., :-1]) / 2


def _lengths(intervals: RayIntervals, edges: Tensor) -> Tensor:
    return (edges[..., 1:] - edges[..., :-1]) * intervals.length().unsqueeze(-1)
