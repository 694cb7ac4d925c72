"""Marches rays through the ``planes`` model on a GPU, a block of rays per program; see ``kernels.march``.

The rays of a block advance in step: sample i of each ray is looked up and decoded together, on tensor cores.
A block ends when its last ray has ended. A ray's result does not depend on the others: a ray that has ended
accumulates nothing more.

Weights have the precision of their tensors, in which they are multiplied; sums are float32.
"""

import triton.language as tl

from .triton_jit import kernel
from .triton_look_up import product, spread_channels


@kernel
def density(raw, bias, least, most):
    """The exponential of a raw density clamped to bounds; NaN becomes the lower bound."""
    exponent = raw + bias
    exponent = tl.where(exponent > least, exponent, least)
    return tl.exp(tl.where(exponent < most, exponent, most))


@kernel
def relu_half(values, weights):
    """ReLU in the precision of ``weights``, clamped to what half precision can represent."""
    return tl.where(values > 0, tl.where(values < 65504.0, values, 65504.0), 0.0).to(weights.dtype)


@kernel
def coarse_density(
    planes, size, weights, bias, second, offset, x, y, z,
    BLOCK: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Raw coarse densities of a block of points, which place the fine samples."""
    features = look_up_features(planes, 0, x, y, z, size, weights, BLOCK, CHANNELS, WIDTH)
    hidden = tl.dot(features, weights, input_precision="ieee") + bias[None, :]
    return tl.sum(tl.where(hidden > 0, hidden, 0.0) * second[None, :], axis=1) + offset


@kernel
def look_up_features(
    planes, origin, x, y, z, size, weights,
    BLOCK: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Features of one scale, laid out for a matrix product with ``weights`` and in their precision."""
    return spread_channels(
        product(planes, origin, x, y, z, size, CHANNELS).to(weights.dtype), BLOCK, CHANNELS, WIDTH
    )


@kernel
def fine_outputs(
    planes, size0, size1, size2, size3, w0, w1, w2, w3, bias, second, offsets, x, y, z,
    SCALES: tl.constexpr, BLOCK: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Raw outputs of a block of points, (point, output)."""
    features = look_up_features(planes, 0, x, y, z, size0, w0, BLOCK, CHANNELS, WIDTH)
    hidden = tl.dot(features, w0, input_precision="ieee") + bias[None, :]
    origin = 3 * size0 * size0 * CHANNELS
    if SCALES > 1:
        features = look_up_features(planes, origin, x, y, z, size1, w1, BLOCK, CHANNELS, WIDTH)
        hidden = tl.dot(features, w1, hidden, input_precision="ieee")
    if SCALES > 2:
        origin += 3 * size1 * size1 * CHANNELS
        features = look_up_features(planes, origin, x, y, z, size2, w2, BLOCK, CHANNELS, WIDTH)
        hidden = tl.dot(features, w2, hidden, input_precision="ieee")
    if SCALES > 3:
        origin += 3 * size2 * size2 * CHANNELS
        features = look_up_features(planes, origin, x, y, z, size3, w3, BLOCK, CHANNELS, WIDTH)
        hidden = tl.dot(features, w3, hidden, input_precision="ieee")
    return tl.dot(relu_half(hidden, second), second, input_precision="ieee") + offsets[None, :]


@kernel
def edge(cumulative, total, k, count, bins):
    """Position of the middle of the ``k``-th of ``count`` parts of equal weight.

    ``cumulative`` holds running sums over equal intervals, and ``total`` beyond the last interval.
    """
    u = (k + 0.5) / count * total
    behind = cumulative <= u[:, None]
    low = tl.max(tl.where(behind, cumulative, 0.0), axis=1)
    high = tl.min(tl.where(behind, total[:, None], cumulative), axis=1)
    index = tl.minimum(tl.sum(behind.to(tl.int32), axis=1), bins - 1).to(tl.float32)
    gap = high - low
    inside = (u - low) / tl.where(gap > 1e-12, gap, 1e-12)
    inside = tl.where(inside > 0, tl.where(inside < 1, inside, 1.0), 0.0)
    return (index + inside) / bins


@kernel
def coarse_histogram(
    planes, size, first, bias, second, offset, hits, length, x, y, z, dx, dy, dz,
    coarse, raw_bias, raw_least, raw_most, padding, min_transmittance,
    BINS: tl.constexpr, BLOCK: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr,
    HIDDEN: tl.constexpr,
):  # fmt: skip
    """Running sums (ray, bin) over the coarse samples' padded weights, and their totals.

    A ray's samples end at ``min_transmittance``. From the last interval on the sums are the total.
    """
    unit = tl.arange(0, HIDDEN)
    table = tl.load(first + tl.arange(0, WIDTH)[:, None] * HIDDEN + unit[None, :])
    row, shift = tl.load(second + unit).to(tl.float32), tl.load(bias + unit).to(tl.float32)
    constant = tl.load(offset).to(tl.float32)
    bin_of = tl.arange(0, BINS)[None, :]
    weights = tl.zeros([BLOCK, BINS], tl.float32)
    transmittance = tl.where(hits, 1.0, 0.0)
    at = 0
    while (at < coarse) & (tl.max(transmittance, axis=0) > min_transmittance):
        s = (at + 0.5) / coarse
        raw = coarse_density(
            planes, size, table, shift, row, constant, x + s * dx, y + s * dy, z + s * dz,
            BLOCK, CHANNELS, WIDTH,
        )  # fmt: skip
        optical = density(raw, raw_bias, raw_least, raw_most) * length / coarse
        after = tl.where(transmittance > min_transmittance, transmittance * tl.exp(-optical), transmittance)
        weights = tl.where(bin_of == at, (transmittance - after)[:, None], weights)
        transmittance = after
        at += 1
    weights += tl.where(bin_of == coarse - 1, transmittance[:, None], 0.0)  # the last interval takes the rest
    extra = padding * tl.maximum(tl.sum(weights, axis=1), 1e-8) / coarse
    weights += tl.where(bin_of < coarse, extra[:, None], 0.0)
    cumulative = tl.cumsum(weights, axis=1)
    total = tl.max(cumulative, axis=1)
    return tl.where(bin_of < coarse - 1, cumulative, total[:, None]), total


@kernel
def fine_sums(
    planes, size0, size1, size2, size3, first, bias, second, offsets, cumulative, total,
    hits, length, x, y, z, dx, dy, dz, coarse, fine, raw_bias, raw_least, raw_most, min_transmittance,
    SCALES: tl.constexpr, BLOCK: tl.constexpr, CHANNELS: tl.constexpr, WIDTH: tl.constexpr,
    HIDDEN: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Weighted sums (ray, output), the remaining transmittance, and where half of the light is absorbed.

    The fine samples lie between the quantiles of the coarse histogram; a ray ends at ``min_transmittance``.
    """
    unit, lane = tl.arange(0, HIDDEN), tl.arange(0, LANES)
    weight_index = tl.arange(0, WIDTH)[:, None] * HIDDEN + unit[None, :]
    w0 = tl.load(first + weight_index)
    w1, w2, w3 = w0, w0, w0
    if SCALES > 1:
        w1 = tl.load(first + WIDTH * HIDDEN + weight_index)
    if SCALES > 2:
        w2 = tl.load(first + 2 * WIDTH * HIDDEN + weight_index)
    if SCALES > 3:
        w3 = tl.load(first + 3 * WIDTH * HIDDEN + weight_index)
    columns = tl.load(second + unit[:, None] * LANES + lane[None, :])
    shift, constants = tl.load(bias + unit).to(tl.float32), tl.load(offsets + lane).to(tl.float32)
    transmittance = tl.where(hits, 1.0, 0.0)
    median = tl.zeros([BLOCK], tl.float32)
    sums = tl.zeros([BLOCK, LANES], tl.float32)
    begin = edge(cumulative, total, 0, fine + 1, coarse)
    at = 0
    while (at < fine) & (tl.max(transmittance, axis=0) > min_transmittance):
        end = edge(cumulative, total, at + 1, fine + 1, coarse)
        s = 0.5 * (begin + end)
        raw = fine_outputs(
            planes, size0, size1, size2, size3, w0, w1, w2, w3, shift, columns, constants,
            x + s * dx, y + s * dy, z + s * dz, SCALES, BLOCK, CHANNELS, WIDTH,
        )  # fmt: skip
        optical = tl.sum(tl.where(lane[None, :] == 0, raw, 0.0), axis=1)
        optical = density(optical, raw_bias, raw_least, raw_most) * (end - begin) * length
        after = tl.where(at == fine - 1, 0.0, transmittance * tl.exp(-optical))  # the last interval is opaque
        after = tl.where(transmittance > min_transmittance, after, transmittance)
        weight = transmittance - after
        fraction = (transmittance - 0.5) / tl.where(weight > 1e-6, weight, 1e-6)
        median = tl.where((transmittance >= 0.5) & (after < 0.5), begin + fraction * (end - begin), median)
        sums += weight[:, None] / (1 + tl.exp(-raw))
        transmittance, begin = after, end
        at += 1
    return sums, transmittance, median


@kernel
def march(
    coarse_planes, coarse_size, coarse_first, coarse_bias, coarse_second, coarse_offset,
    planes, size0, size1, size2, size3, first, bias, second, offsets,
    starts, steps, lengths, hit, out, medians,
    rays, coarse, fine, raw_bias, raw_least, raw_most, padding, coarse_min_transmittance, min_transmittance,
    OUTPUTS: tl.constexpr, BINS: tl.constexpr, SCALES: tl.constexpr, BLOCK: tl.constexpr,
    COARSE_CHANNELS: tl.constexpr, COARSE_WIDTH: tl.constexpr, COARSE_HIDDEN: tl.constexpr,
    CHANNELS: tl.constexpr, WIDTH: tl.constexpr, HIDDEN: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Accumulate all outputs but the first along each ray; find where (0 to 1) half its light is absorbed.

    Rays are given by starts, steps to the ends, lengths and hit flags; those that miss get zeros. A ray's
    coarse samples end at transmittance ``coarse_min_transmittance``, its fine ones at ``min_transmittance``.
    Arrays: planes of all scales one after the other, W (scale, ``WIDTH``, hidden), b, V (hidden, ``LANES``),
    c.
    """
    ray = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    lane = tl.arange(0, LANES)
    inside = ray < rays
    hits = tl.load(hit + ray, mask=inside, other=0) != 0
    length = tl.load(lengths + ray, mask=inside, other=0.0)
    x = tl.load(starts + 3 * ray, mask=inside, other=0.0)
    y = tl.load(starts + 3 * ray + 1, mask=inside, other=0.0)
    z = tl.load(starts + 3 * ray + 2, mask=inside, other=0.0)
    dx = tl.load(steps + 3 * ray, mask=inside, other=0.0)
    dy = tl.load(steps + 3 * ray + 1, mask=inside, other=0.0)
    dz = tl.load(steps + 3 * ray + 2, mask=inside, other=0.0)
    cumulative, total = coarse_histogram(
        coarse_planes, coarse_size, coarse_first, coarse_bias, coarse_second, coarse_offset,
        hits, length, x, y, z, dx, dy, dz,
        coarse, raw_bias, raw_least, raw_most, padding, coarse_min_transmittance,
        BINS, BLOCK, COARSE_CHANNELS, COARSE_WIDTH, COARSE_HIDDEN,
    )  # fmt: skip
    sums, transmittance, median = fine_sums(
        planes, size0, size1, size2, size3, first, bias, second, offsets, cumulative, total,
        hits, length, x, y, z, dx, dy, dz,
        coarse, fine, raw_bias, raw_least, raw_most, min_transmittance,
        SCALES, BLOCK, CHANNELS, WIDTH, HIDDEN, LANES,
    )  # fmt: skip
    sums = sums / (1 - transmittance)[:, None]  # the ray's weights sum to one
    sums = tl.where(hits[:, None], sums, 0.0)
    where = ray[:, None] * (OUTPUTS - 1) + lane[None, :] - 1
    tl.store(out + where, sums, mask=inside[:, None] & (lane > 0)[None, :] & (lane < OUTPUTS)[None, :])
    tl.store(medians + ray, tl.where(hits, median, 0.0), mask=inside)
