"""Whole rays of a training step, forward and backward, a block at a time so that samples stay in the caches.

The same as the decoder's ``render_rays`` with jitter and without union, the squared error of its colours, the
histogram bound, and their gradients. A frame's rays are padded to whole blocks; the padding has weight 0.
"""

import numpy as np

from dynerf_decoder.kernels.compiling import kernel

from .colour import composite, composite_backward, squared_error, view_inputs, view_inputs_backward
from .edges import draw, histogram_bound, intervals, stratified
from .network_passes import backward, forward
from .samples import plane_gradients, sample_planes
from .volume import volume_weights, volume_weights_backward

BLOCK = 8  # rays; a multiple of layers.TILE, so that their samples are too

_ZERO = np.float32(0)


@kernel
def coarse_pass(field, rays, first, jitter, even, count, bounds, positions, scratch):
    """Coarse edges, densities and weights of a block of rays from number ``first`` on."""
    samples, interval_scratch = scratch.samples, scratch.intervals
    edges, lengths = interval_scratch.edges, interval_scratch.lengths
    for ray in range(BLOCK):
        index, at = first + ray, ray * count
        stratified(even, jitter, index * (count - 1), count, edges, ray * (count + 1))
        intervals(edges, ray * (count + 1), count, rays.lengths[index], positions, index * count, lengths, at)
        sample_planes(
            field, rays, index, positions, index * count, count, samples.plane_values, samples.features, at
        )
    forward(field.network, samples.features, samples.hidden, samples.outputs, BLOCK * count)
    volume_weights(samples.outputs, len(field.network.lane_type), BLOCK, count, bounds, interval_scratch)


@kernel
def fine_pass(field, rays, first, jitter, constants, positions, coarse, scratch):
    """The same for the fine samples, whose positions follow the ``coarse`` edges and weights."""
    samples, interval_scratch = scratch.samples, scratch.intervals
    edges, lengths = interval_scratch.edges, interval_scratch.lengths
    bins, count = constants.coarse_count, constants.fine_count
    for ray in range(BLOCK):
        index, at = first + ray, ray * count
        draw(
            coarse.edges, ray * (bins + 1), coarse.weights, ray * bins, bins, jitter, index * (count + 1),
            count + 1, edges, ray * (count + 1),
        )  # fmt: skip
        intervals(edges, ray * (count + 1), count, rays.lengths[index], positions, index * count, lengths, at)
        sample_planes(
            field, rays, index, positions, index * count, count, samples.plane_values, samples.features, at
        )
    forward(field.network, samples.features, samples.hidden, samples.outputs, BLOCK * count)
    volume_weights(
        samples.outputs, len(field.network.lane_type), BLOCK, count, constants.bounds, interval_scratch
    )


@kernel
def colour_pass(lane_type, view, rays, first, last, count, scale, scratch, view_scratch, sums):
    """Colours and their error, back to the fine network's outputs; returns the sum of the squared errors."""
    samples, weights, weight_gradients = (
        scratch.samples, scratch.intervals.weights, scratch.intervals.weight_gradients,
    )  # fmt: skip
    composited, outputs, view_gradients = (
        view_scratch.composited, view_scratch.outputs, view_scratch.output_gradients,
    )  # fmt: skip
    lanes, stride, features = len(lane_type), view.stride, view.view_features
    size = len(rays.directions) // len(rays.hit)
    for ray in range(BLOCK):
        at = ray * count
        composite(
            lane_type, samples.outputs, at, weights, at, count, samples.activated, composited, ray * lanes
        )
        view_inputs(
            composited, ray * lanes, features, rays.directions, (first + ray) * size, size,
            view_scratch.features, ray * stride,
        )  # fmt: skip
    forward(view, view_scratch.features, view_scratch.hidden, outputs, BLOCK)
    loss = 0.0
    for ray in range(BLOCK):
        index = first + ray
        ray_error = squared_error(
            composited, ray * lanes + 1, outputs, ray * 4, rays.colours, 3 * index, rays.hit[index],
            scale if index < last else _ZERO, view_gradients,
        )  # fmt: skip
        if index < last:
            loss += ray_error
    backward(
        view, view_scratch.features, view_scratch.hidden, view_gradients, view_scratch.hidden_gradients,
        view_scratch.feature_gradients, sums, BLOCK,
    )  # fmt: skip
    for ray in range(BLOCK):
        at = ray * count
        view_inputs_backward(
            view_scratch.feature_gradients, ray * stride, view_gradients, ray * 4, features, composited,
            ray * lanes, lanes,
        )  # fmt: skip
        composite_backward(
            lane_type, samples.activated, at, weights, at, count, composited, ray * lanes, weight_gradients,
            samples.output_gradients,
        )  # fmt: skip
    return loss


@kernel
def densities_backward(count, bounds, stride, scratch):
    """From the gradients of weights to those of raw densities, for a block of rays."""
    for ray in range(BLOCK):
        # samples and rows have the same numbers; rows are ``stride`` apart
        volume_weights_backward(
            ray * count, count, bounds, scratch.intervals, scratch.samples.output_gradients, stride
        )


@kernel
def network_backward(field, rows, gradients, samples, at, scratch, sums):
    """From the gradients of a network's outputs to those of its weights and of the planes' values."""
    backward(
        field.network, scratch.features, scratch.hidden, scratch.output_gradients, scratch.hidden_gradients,
        scratch.feature_gradients, sums, rows,
    )  # fmt: skip
    plane_gradients(field, scratch.plane_values, scratch.feature_gradients, rows, gradients, samples, at)


@kernel
def train_rays(
    coarse, fine, view, rays, jitter, even, constants, span, coarse_buffers, fine_buffers, scratch, sums
):
    """The rays of ``span``, a ``records.RaySpan``, forward and backward.

    Returns the sums of the squared errors and of the losses of the histogram bound. ``coarse`` and ``fine``
    are ``records.Field``, ``view`` is a ``records.NetworkArrays``, ``even`` the coarse edges without jitter.
    The buffers take positions and gradients of the coarse and the fine samples. The other arguments are the
    records of their names.
    """
    bounds, bins, count = constants.bounds, constants.coarse_count, constants.fine_count
    coarse_scratch, fine_scratch = scratch.coarse, scratch.fine
    coarse_intervals, fine_intervals = coarse_scratch.intervals, fine_scratch.intervals
    squared, excess, padded_count = 0.0, 0.0, len(rays.hit)
    for first in range(span.start, span.stop, BLOCK):
        coarse_pass(
            coarse, rays, first, jitter.coarse, even, bins, bounds, coarse_buffers.positions, coarse_scratch
        )
        fine_pass(
            fine, rays, first, jitter.fine, constants, fine_buffers.positions, coarse_intervals, fine_scratch
        )
        squared += colour_pass(
            fine.network.lane_type, view, rays, first, span.frame_rays, count, constants.colour_scale,
            fine_scratch, scratch.rays, sums.colour,
        )  # fmt: skip
        densities_backward(count, bounds, len(fine.network.lane_type), fine_scratch)
        network_backward(
            fine, BLOCK * count, fine_buffers.gradients, padded_count * count, first * count,
            fine_scratch.samples, sums.fine,
        )  # fmt: skip
        for ray in range(BLOCK):
            is_ray = first + ray < span.frame_rays
            ray_excess = histogram_bound(
                fine_intervals.edges, ray * (count + 1), fine_intervals.weights, ray * count, count,
                coarse_intervals.edges, ray * (bins + 1), coarse_intervals.weights, ray * bins, bins,
                constants.bound_scale if is_ray else _ZERO, scratch.cumulative,
                coarse_intervals.weight_gradients,
            )  # fmt: skip
            if is_ray:
                excess += ray_excess
        densities_backward(bins, bounds, len(coarse.network.lane_type), coarse_scratch)
        network_backward(
            coarse, BLOCK * bins, coarse_buffers.gradients, padded_count * bins, first * bins,
            coarse_scratch.samples, sums.coarse,
        )  # fmt: skip
    return squared, excess
