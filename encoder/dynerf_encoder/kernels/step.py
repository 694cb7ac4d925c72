"""Whole rays of a training step, forward and back, a block at a time, so that samples stay in the caches.

The same as ``renderer.render_rays`` with noise and without union, the squared error of its colours, the
histogram bound, and their gradients. A frame's rays are filled up to whole blocks; those beyond ``count``
weigh nothing.
"""

import numpy as np

from dynerf_decoder.kernels.compiling import kernel

from .colour import back_to_sums, error, gather, look_from, spread
from .edges import bound, draw, intervals, stratified
from .layers import backward, forward
from .samples import ask, look
from .volume import to_raw, weigh

BLOCK = 8  # rays; a multiple of layers.TILE, so that their samples are too

_ZERO = np.float32(0)


@kernel
def coarse_pass(field, rays, first, noise, even, count, bounds, positions, room, ways):
    """Coarse edges, densities and weights of a block of rays from number ``first`` on."""
    starts, steps, lengths = rays[:3]
    found, features, hidden, out = room[:4]
    edges, parts, exponents, density, through, weights = ways[:6]
    for ray in range(BLOCK):
        each = first + ray
        stratified(even, noise, each * (count - 1), count, edges, ray * (count + 1))
        intervals(edges, ray * (count + 1), count, lengths[each], positions, each * count, parts, ray * count)
        look(field, starts, steps, each, positions, each * count, count, found, features, ray * count)
    forward(field[4], features, hidden, out, BLOCK * count)
    stride = len(field[4][0])
    weigh(out, stride, parts, BLOCK, count, bounds, exponents, density, through, weights)


@kernel
def fine_pass(field, rays, first, noise, counts, bounds, positions, coarse, room, ways):
    """The same for the fine samples, placed by the ``coarse`` edges and weights."""
    starts, steps, lengths = rays[:3]
    found, features, hidden, out = room[:4]
    edges, parts, exponents, density, through, weights = ways[:6]
    bins, count = counts
    for ray in range(BLOCK):
        each = first + ray
        draw(
            coarse[0], ray * (bins + 1), coarse[5], ray * bins, bins, noise, each * (count + 1), count + 1,
            edges, ray * (count + 1),
        )  # fmt: skip
        intervals(edges, ray * (count + 1), count, lengths[each], positions, each * count, parts, ray * count)
        look(field, starts, steps, each, positions, each * count, count, found, features, ray * count)
    forward(field[4], features, hidden, out, BLOCK * count)
    stride = len(field[4][0])
    weigh(out, stride, parts, BLOCK, count, bounds, exponents, density, through, weights)


@kernel
def colour_pass(like, view, rays, first, last, count, scale, room, ways, view_room, sums):
    """Colours and their error, back to the fine network's outputs; the sum of the squared errors."""
    hit, colours, encoded = rays[3:]
    out, gradients, seen = room[3], room[5], room[7]
    weights, change = ways[5:7]
    features, hidden, outputs, view_change, view_gradients, to_features, totals = view_room
    lanes, stride, known = len(like), view[1], view[9]
    size = len(encoded) // len(hit)
    for ray in range(BLOCK):
        gather(like, out, ray * count, weights, ray * count, count, seen, totals, ray * lanes)
        look_from(totals, ray * lanes, known, encoded, (first + ray) * size, size, features, ray * stride)
    forward(view, features, hidden, outputs, BLOCK)
    loss = 0.0
    for ray in range(BLOCK):
        each = first + ray
        lost = error(
            totals, ray * lanes + 1, outputs, ray * 4, colours, 3 * each, hit[each],
            scale if each < last else _ZERO, view_gradients,
        )  # fmt: skip
        if each < last:
            loss += lost
    backward(view, features, hidden, view_gradients, view_change, to_features, sums, BLOCK)
    for ray in range(BLOCK):
        at = ray * count
        back_to_sums(to_features, ray * stride, view_gradients, ray * 4, known, totals, ray * lanes, lanes)
        spread(like, seen, at, weights, at, count, totals, ray * lanes, change, gradients)
    return loss


@kernel
def densities_back(count, bounds, gradients, stride, ways):
    """From the gradients of weights to those of raw densities, for a block of rays."""
    parts, exponents, density, through, _, change = ways[1:7]
    for ray in range(BLOCK):
        # offsets of numbers and of rows are the same, the latter ``stride`` apart
        to_raw(change, parts, ray * count, count, bounds, exponents, density, through, gradients, stride)


@kernel
def network_back(field, rows, changes, samples, at, room, sums):
    """From the gradients of a network's outputs to its weights' and to what is asked of the planes."""
    found, features, hidden, _, change, gradients, to_features = room[:7]
    backward(field[4], features, hidden, gradients, change, to_features, sums, rows)
    ask(field, found, to_features, rows, changes, samples, at)


@kernel
def follow(coarse, fine, view, rays, noise, even, rule, span, places, rooms, sums):
    """Rays from ``span[0]`` up to ``span[1]`` of a frame that has ``span[2]``; sums of squared and bound
    errors.

    ``rays`` are (starts, steps to the ends, lengths, which hit, colours, encoded directions), ``noise`` the
    uniform numbers of coarse and fine edges, ``rule`` (bounds as in ``volume.weigh``, numbers of coarse and
    fine intervals, scales of the two errors' gradients). ``places`` are positions and changes of the coarse
    samples, then of the fine ones; ``rooms`` and ``sums`` are those of the coarse, fine and view networks.
    """
    bounds, bins, count, scale, bound_scale = rule
    coarse_positions, coarse_changes, positions, changes = places
    coarse_room, coarse_ways, room, ways, view_room, running = rooms
    stride = len(coarse[4][0])
    squared, excess, whole = 0.0, 0.0, len(rays[3])
    for first in range(span[0], span[1], BLOCK):
        coarse_pass(
            coarse, rays, first, noise[0], even, bins, bounds, coarse_positions, coarse_room, coarse_ways
        )
        fine_pass(fine, rays, first, noise[1], (bins, count), bounds, positions, coarse_ways, room, ways)
        squared += colour_pass(
            fine[4][0], view, rays, first, span[2], count, scale, room, ways, view_room, sums[2]
        )
        densities_back(count, bounds, room[5], len(fine[4][0]), ways)
        network_back(fine, BLOCK * count, changes, whole * count, first * count, room, sums[1])
        for ray in range(BLOCK):
            live = first + ray < span[2]
            missed = bound(
                ways[0], ray * (count + 1), ways[5], ray * count, count, coarse_ways[0], ray * (bins + 1),
                coarse_ways[5], ray * bins, bins, bound_scale if live else _ZERO, running, coarse_ways[6],
            )  # fmt: skip
            if live:
                excess += missed
        densities_back(bins, bounds, coarse_room[5], stride, coarse_ways)
        network_back(coarse, BLOCK * bins, coarse_changes, whole * bins, first * bins, coarse_room, sums[0])
    return squared, excess
