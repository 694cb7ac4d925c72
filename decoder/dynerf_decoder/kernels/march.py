"""Whole rays of the ``planes`` model: coarse densities, fine samples, features summed front to back.

The same as ``renderer.render_rays`` without jitter or union, one ray at a time, so that a ray ends where
nothing behind can be seen: coarse samples when what is left is no more than ``_LOST``, fine samples at
``opaque``.

A stack is (planes, origins, sizes, like, W, b, outputs, V, c): the planes of all scales in one flat array,
the offset and the size of each scale's, and what ``network`` takes; ``like`` has as many items as there are
channels, ``outputs`` as there are outputs. The coarse stack has one output, the density's; it is the
first of the fine stack's, and the others are features.
"""

import numpy as np

from .compiling import kernel
from .lanes import (
    exponential,
    item,
    joined,
    limited,
    load,
    logistic,
    plus,
    plus_scaled,
    plus_times,
    same,
    scaled,
    separate,
    store,
    total_of,
    where_positive,
    zeros,
)
from .look_up import product
from .network import ROWS, WIDTH, hidden_block, output_block

_FOUR = (np.float32(0),) * ROWS
_WIDE = (np.float32(0),) * WIDTH
_LOST = np.float32(1e-3)
_ONE = np.float32(1)
_HALF = np.float32(0.5)


@kernel
def look(stack, room, starts, steps, ray, positions, at):
    """Features at ``ROWS`` positions of a ray, from number ``at`` on, into the room's first array."""
    planes, origins, sizes, like = stack[:4]
    x, y, z = starts[3 * ray], starts[3 * ray + 1], starts[3 * ray + 2]
    dx, dy, dz = steps[3 * ray], steps[3 * ray + 1], steps[3 * ray + 2]
    for row in range(ROWS):
        s = positions[at + row]
        for scale in range(len(sizes)):
            found = product(like, planes, origins[scale], sizes[scale], x + s * dx, y + s * dy, z + s * dz)
            store(room[0], (row * len(sizes) + scale) * len(like), found)


@kernel
def ask(stack, room):
    """Raw outputs, (row, output), for the room's features, into its last array."""
    _, _, sizes, like, first, bias, outputs, second, offsets = stack
    features, hidden, raw = room
    hidden_block(features, 0, len(sizes) * len(like), first, bias, hidden, 0, len(bias))
    output_block(outputs, hidden, 0, len(bias), second, offsets, raw, 0)


@kernel
def raw_density(stack, features, row):
    """The only output of a coarse stack, whose V is a row."""
    _, _, sizes, like, first, bias, _, second, offsets = stack
    count = len(sizes) * len(like)
    total = zeros(_WIDE)
    for unit in range(0, len(bias), WIDTH):
        hidden = load(zeros(_WIDE), bias, unit)
        for index in range(count):
            weights = load(zeros(_WIDE), first, index * len(bias) + unit)
            hidden = plus_scaled(hidden, weights, item(features, row * count + index))
        total = plus_times(total, where_positive(hidden, hidden), load(zeros(_WIDE), second, unit))
    return item(offsets, 0) + total_of(total)


@kernel
def through(raw, lengths, at, bounds, transmittance):
    """Transmittance behind each of ``ROWS`` intervals of raw densities, given that in front of the first."""
    exponents = plus(joined(raw), same(zeros(_FOUR), bounds[0]))
    a, b, c, d = separate(exponential(limited(exponents, bounds[1], bounds[2])))
    first = a * item(lengths, at)
    second = first + b * item(lengths, at + 1)
    third = second + c * item(lengths, at + 2)
    fourth = third + d * item(lengths, at + 3)
    return separate(scaled(exponential(joined((-first, -second, -third, -fourth))), transmittance))


@kernel
def histogram(stack, room, starts, steps, ray, positions, lengths, bounds, weights):
    """Weights of intervals, without their padding; the last one takes what is left."""
    features = room[0]
    left = _ONE
    for index in range(len(weights)):
        weights[index] = 0
    for at in range(0, len(weights), ROWS):
        look(stack, room, starts, steps, ray, positions, at)
        raw = (
            raw_density(stack, features, 0), raw_density(stack, features, 1),
            raw_density(stack, features, 2), raw_density(stack, features, 3),
        )  # fmt: skip
        behind = through(raw, lengths, at, bounds, left)
        for row in range(min(ROWS, len(weights) - at)):
            weights[at + row] = left - behind[row]
            left = behind[row]
        if left < _LOST:
            break
    weights[len(weights) - 1] += left


@kernel
def draw_edges(weights, padding, edges):
    """Positions in the middles of as many parts of equal weight; the histogram's intervals are equal."""
    total = np.float32(0)
    for index in range(len(weights)):
        total += weights[index]
    extra = padding * max(total, np.float32(1e-8)) / np.float32(len(weights))
    whole = total + extra * np.float32(len(weights))
    index, low, high = 0, np.float32(0), (weights[0] + extra) / whole
    for each in range(len(edges)):
        u = (np.float32(each) + _HALF) / np.float32(len(edges))
        while high <= u and index < len(weights) - 1:
            index += 1
            low = high
            high += (weights[index] + extra) / whole
        inside = min(max((u - low) / max(high - low, np.float32(1e-12)), np.float32(0)), _ONE)
        edges[each] = (np.float32(index) + inside) / np.float32(len(weights))


@kernel
def composite(stack, room, starts, steps, ray, positions, lengths, edges, bounds, opaque, out):
    """Sum one ray's outputs into ``out``; where half of its light is behind."""
    outputs, raw = stack[6], room[2]
    count = len(edges) - 1
    left, middle, total = _ONE, np.float32(0), zeros(outputs)
    for at in range(0, count, ROWS):
        look(stack, room, starts, steps, ray, positions, at)
        ask(stack, room)
        stride = len(outputs)
        densities = (item(raw, 0), item(raw, stride), item(raw, 2 * stride), item(raw, 3 * stride))
        behind = through(densities, lengths, at, bounds, left)
        for row in range(min(ROWS, count - at)):
            after = behind[row] if at + row < count - 1 else np.float32(0)  # the last interval is opaque
            if left >= _HALF and after < _HALF:
                share = (left - _HALF) / (left - after)
                middle = edges[at + row] + share * (edges[at + row + 1] - edges[at + row])
            seen = logistic(load(zeros(outputs), raw, row * len(outputs)))
            total = plus_scaled(total, seen, left - after)
            left = after
        if left <= opaque:
            break
    store(out, ray * len(outputs), scaled(total, _ONE / (_ONE - left)))
    return middle


@kernel
def march(coarse, fine, rays, rule, room, out, middles):
    """Outputs summed along each ray, (ray, output), and where half of its light is behind, a position 0 to 1.

    The first output, the density's, means nothing here. ``rays`` are (starts, steps to the ends, lengths,
    which hit); those that miss get zeros. ``rule`` is (what is added to a raw density and the least and the
    most of its exponent, the share of the histogram that is spread evenly, the transmittance at which a ray
    ends). ``room`` is (coarse and fine ``ask``'s, middles and lengths of the coarse intervals, of the fine
    ones, coarse weights, fine edges, ``ROWS`` values); numbers of intervals are filled up to whole blocks of
    ``ROWS``, weights and edges not.
    """
    starts, steps, lengths, hit = rays
    bounds, padding, opaque = rule
    coarse_room, fine_room, even, even_lengths, positions, parts, weights, edges = room
    for ray in range(len(lengths)):
        middles[ray] = 0
        store(out, ray * len(fine[6]), zeros(fine[6]))
        if hit[ray]:
            for index in range(len(even)):
                even_lengths[index] = lengths[ray] / np.float32(len(weights))
            histogram(coarse, coarse_room, starts, steps, ray, even, even_lengths, bounds, weights)
            draw_edges(weights, padding, edges)
            for index in range(len(edges) - 1):
                positions[index] = (edges[index] + edges[index + 1]) * _HALF
                parts[index] = (edges[index + 1] - edges[index]) * lengths[ray]
            middles[ray] = composite(
                fine, fine_room, starts, steps, ray, positions, parts, edges, bounds, opaque, out
            )
