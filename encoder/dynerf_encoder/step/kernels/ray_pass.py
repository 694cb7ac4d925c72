"""Whole rays of a training step, forward and back, a block at a time, so that samples stay in the caches.

The same as ``renderer.render_rays`` with jitter and without union, the squared error of its colours, the
histogram bound, and their gradients. A frame's rays are filled up to whole blocks; those beyond ``count``
weigh nothing.
"""

import numpy as np

from dynerf_decoder.backends.cpu.kernels.compiling import kernel

from .colour import back_to_sums, error, gather, look_from, spread
from .edges import bound, draw, intervals, stratified
from .layers import backward, forward
from .samples import ask, look
from .volume import to_raw, weigh

BLOCK = 8  # rays; a multiple of layers.TILE, so that their samples are too

_ZERO = np.float32(0)


@kernel
def coarse_pass(field, rays, first, jitter, even, count, bounds, positions, room):
    """Coarse edges, densities and weights of a block of rays from number ``first`` on."""
    samples, intervals_room = room.samples, room.intervals
    edges, lengths = intervals_room.edges, intervals_room.lengths
    for ray in range(BLOCK):
        each, at = first + ray, ray * count
        stratified(even, jitter, each * (count - 1), count, edges, ray * (count + 1))
        intervals(edges, ray * (count + 1), count, rays.lengths[each], positions, each * count, lengths, at)
        look(field, rays, each, positions, each * count, count, samples.found, samples.features, at)
    forward(field.network, samples.features, samples.hidden, samples.out, BLOCK * count)
    weigh(samples.out, len(field.network.like), BLOCK, count, bounds, intervals_room)


@kernel
def fine_pass(field, rays, first, jitter, rule, positions, coarse, room):
    """The same for the fine samples, placed by the ``coarse`` edges and weights."""
    samples, intervals_room = room.samples, room.intervals
    edges, lengths = intervals_room.edges, intervals_room.lengths
    bins, count = rule.bins, rule.samples
    for ray in range(BLOCK):
        each, at = first + ray, ray * count
        draw(
            coarse.edges, ray * (bins + 1), coarse.weights, ray * bins, bins, jitter, each * (count + 1),
            count + 1, edges, ray * (count + 1),
        )  # fmt: skip
        intervals(edges, ray * (count + 1), count, rays.lengths[each], positions, each * count, lengths, at)
        look(field, rays, each, positions, each * count, count, samples.found, samples.features, at)
    forward(field.network, samples.features, samples.hidden, samples.out, BLOCK * count)
    weigh(samples.out, len(field.network.like), BLOCK, count, rule.bounds, intervals_room)


@kernel
def colour_pass(like, view, rays, first, last, count, scale, room, view_room, sums):
    """Colours and their error, back to the fine network's outputs; the sum of the squared errors."""
    samples, weights, change = room.samples, room.intervals.weights, room.intervals.change
    totals, outputs, view_gradients = view_room.totals, view_room.outputs, view_room.gradients
    lanes, stride, known = len(like), view.stride, view.view_features
    size = len(rays.directions) // len(rays.hit)
    for ray in range(BLOCK):
        at = ray * count
        gather(like, samples.out, at, weights, at, count, samples.seen, totals, ray * lanes)
        look_from(
            totals, ray * lanes, known, rays.directions, (first + ray) * size, size, view_room.features,
            ray * stride,
        )  # fmt: skip
    forward(view, view_room.features, view_room.hidden, outputs, BLOCK)
    loss = 0.0
    for ray in range(BLOCK):
        each = first + ray
        lost = error(
            totals, ray * lanes + 1, outputs, ray * 4, rays.colours, 3 * each, rays.hit[each],
            scale if each < last else _ZERO, view_gradients,
        )  # fmt: skip
        if each < last:
            loss += lost
    backward(
        view, view_room.features, view_room.hidden, view_gradients, view_room.change, view_room.to_features,
        sums, BLOCK,
    )  # fmt: skip
    for ray in range(BLOCK):
        at = ray * count
        back_to_sums(
            view_room.to_features, ray * stride, view_gradients, ray * 4, known, totals, ray * lanes, lanes
        )
        spread(like, samples.seen, at, weights, at, count, totals, ray * lanes, change, samples.gradients)
    return loss


@kernel
def densities_back(count, bounds, stride, room):
    """From the gradients of weights to those of raw densities, for a block of rays."""
    for ray in range(BLOCK):
        # offsets of numbers and of rows are the same, the latter ``stride`` apart
        to_raw(ray * count, count, bounds, room.intervals, room.samples.gradients, stride)


@kernel
def network_back(field, rows, changes, samples, at, room, sums):
    """From the gradients of a network's outputs to its weights' and to what is asked of the planes."""
    backward(
        field.network, room.features, room.hidden, room.gradients, room.change, room.to_features, sums, rows
    )
    ask(field, room.found, room.to_features, rows, changes, samples, at)


@kernel
def follow(coarse, fine, view, rays, jitter, even, rule, span, coarse_written, written, scratch, sums):
    """Rays from ``span[0]`` up to ``span[1]`` of a frame that has ``span[2]``; sums of squared and bound
    errors.

    ``coarse`` and ``fine`` are ``records.Field``, ``view`` a ``records.Network``, ``even`` the coarse edges
    without jitter; the others are what ``records`` calls so. ``coarse_written`` and ``written`` take
    positions and changes of the coarse and the fine samples.
    """
    bounds, bins, count = rule.bounds, rule.bins, rule.samples
    first_ray, last_ray, live_rays = span
    near, far = scratch.coarse, scratch.fine
    squared, excess, whole = 0.0, 0.0, len(rays.hit)
    for first in range(first_ray, last_ray, BLOCK):
        coarse_pass(coarse, rays, first, jitter.coarse, even, bins, bounds, coarse_written.positions, near)
        fine_pass(fine, rays, first, jitter.fine, rule, written.positions, near.intervals, far)
        squared += colour_pass(
            fine.network.like, view, rays, first, live_rays, count, rule.scale, far, scratch.rays, sums.colour
        )
        densities_back(count, bounds, len(fine.network.like), far)
        network_back(
            fine, BLOCK * count, written.changes, whole * count, first * count, far.samples, sums.fine
        )
        for ray in range(BLOCK):
            live = first + ray < live_rays
            missed = bound(
                far.intervals.edges, ray * (count + 1), far.intervals.weights, ray * count, count,
                near.intervals.edges, ray * (bins + 1), near.intervals.weights, ray * bins, bins,
                rule.bound_scale if live else _ZERO, scratch.running, near.intervals.change,
            )  # fmt: skip
            if live:
                excess += missed
        densities_back(bins, bounds, len(coarse.network.like), near)
        network_back(
            coarse, BLOCK * bins, coarse_written.changes, whole * bins, first * bins, near.samples,
            sums.coarse,
        )  # fmt: skip
    return squared, excess
