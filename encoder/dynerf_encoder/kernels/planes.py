"""Folding planes and training them, in two passes over memory per step.

Images are stored in flat arrays (image, row, column, channel). A scale's planes are static and basis planes,

    out = 1 + sum over j of coefficient_j image_j,

where number 0 is the static one, with coefficient 1. In stored form an image is rounded to multiples of
``step`` (with a dead zone, ``records.DEAD_ZONE``); a ``step`` of 0 leaves it as it is.
"""

import numpy as np

from dynerf_decoder.kernels.compiling import kernel
from dynerf_decoder.kernels.fold import PLANES
from dynerf_decoder.kernels.lanes import (
    clamped,
    divided,
    item,
    load,
    magnitude,
    minus,
    plus,
    plus_scaled,
    plus_times,
    quotient,
    rounded,
    scaled,
    splat,
    square_root,
    store,
    times,
    zeros,
)
from dynerf_decoder.kernels.records import IndexRange

from .records import DEAD_ZONE

_LEAST, _MOST = np.float32(-1), np.float32(1)
_CHUNK = 64  # texels folded at a time: the sums of all frames stay in the cache


@kernel
def symbols_of(positions):
    """Symbols of values given in steps, with the dead zone."""
    return rounded(minus(positions, clamped(positions, -DEAD_ZONE, DEAD_ZONE)))


@kernel
def fold_part(lane_type, values, base, span, step, factor, to, other_factor, beside, out):
    """Add one image's texels to two frames of ``out``, each times a factor; return its symbols' magnitudes.

    ``base`` is the image's offset in ``values``, ``span`` a ``records.IndexRange`` of texels; ``to`` and
    ``beside`` are the frames' offsets in ``out``. If these are equal, only the first factor is used.
    """
    total = zeros(lane_type)
    for at in range(span.start * len(lane_type), span.stop * len(lane_type), len(lane_type)):
        value = load(zeros(lane_type), values, base + at)
        if step > 0:
            symbols = symbols_of(divided(value, step))
            total = plus(total, magnitude(symbols))
            value = scaled(symbols, step)
        store(out, to + at, plus_scaled(load(zeros(lane_type), out, to + at), value, factor))
        if beside != to:
            store(
                out, beside + at, plus_scaled(load(zeros(lane_type), out, beside + at), value, other_factor)
            )
    return total


@kernel
def fold(lane_type, static, basis, plane, texels, steps, coefficients, frames, out, layout, magnitudes):
    """Fold one plane of a scale for all frames; ``steps`` are ``records.StaticAndBasis``.

    ``coefficients`` are (frame, image), ``magnitudes`` (image, plane, channel); ``layout`` is the
    ``records.FoldedLayout`` of ``out``.
    """
    images = len(coefficients) // frames
    one = splat(zeros(lane_type), np.float32(1))
    for image in range(images):
        store(magnitudes, (image * PLANES + plane) * len(lane_type), zeros(lane_type))
    for first in range(0, texels, _CHUNK):
        chunk = IndexRange(first, min(first + _CHUNK, texels))
        for frame in range(frames):
            for texel in range(chunk.start, chunk.stop):
                store(out, layout.plane_offset + frame * layout.frame_stride + texel * len(lane_type), one)
        for image in range(images):
            into = (image * PLANES + plane) * len(lane_type)
            base = ((image - 1) * PLANES + plane) * texels * len(lane_type)
            total = load(zeros(lane_type), magnitudes, into)
            for frame in range(0, frames, 2):
                other = min(frame + 1, frames - 1)
                factor = item(coefficients, frame * images + image)
                other_factor = item(coefficients, other * images + image)
                to = layout.plane_offset + frame * layout.frame_stride
                beside = layout.plane_offset + other * layout.frame_stride
                if image == 0:
                    here = plane * texels * len(lane_type)
                    symbols = fold_part(
                        lane_type, static, here, chunk, steps.static, factor, to, other_factor, beside, out
                    )
                else:
                    symbols = fold_part(
                        lane_type, basis, base, chunk, steps.basis, factor, to, other_factor, beside, out
                    )
                if frame == 0:
                    total = plus(total, symbols)
            store(magnitudes, into, total)


@kernel
def adam(trained, at, here, gradient, factors):
    """One Adam update of the texel ``here`` at offset ``at`` of ``records.TrainedValues``."""
    mean = load(here, trained.first_moments, at)
    mean = plus_scaled(mean, minus(gradient, mean), factors.one_minus_beta1)
    store(trained.first_moments, at, mean)
    square = scaled(load(here, trained.second_moments, at), factors.beta2)
    square = plus_scaled(square, times(gradient, gradient), factors.one_minus_beta2)
    store(trained.second_moments, at, square)
    root = plus(scaled(square_root(square), factors.correction), splat(here, factors.epsilon))
    store(trained.values, at, plus_scaled(here, quotient(mean, root), -factors.step_size))


@kernel
def update_row(
    lane_type, trained, base, row, size, above, gradients, layout, coefficients, at, images, frames, smooth,
    step, rate_slope, factors, sums,
):  # fmt: skip
    """Adam on one row of one image. ``above`` holds the row before, not updated, and is replaced by this one.

    ``trained`` are ``records.TrainedValues``; ``gradients`` those of the folded planes, in the ``layout`` of
    ``fold``. Added to them are ``smooth`` times the differences to the neighbours and, in stored form, the
    gradient of the rate term (``rate_loss.py``). The gradients of the coefficients are added to ``sums``,
    (frame, image, channel).
    """
    right, values = len(lane_type), trained.values
    below = size * right
    left = zeros(lane_type)
    second_frame = images if frames > 1 else 0  # offset of the second frame, if there is one
    first_coefficient, second_coefficient = item(coefficients, at), item(coefficients, second_frame + at)
    total = load(zeros(lane_type), sums, at * right)
    second_total = load(zeros(lane_type), sums, (second_frame + at) * right)
    for column in range(size):
        texel = row * below + column * right
        here = load(zeros(lane_type), values, base + texel)
        folded = here
        gradient = zeros(lane_type)
        if step > 0:
            position = divided(here, step)
            folded = scaled(symbols_of(position), step)
            gradient = times(clamped(position, _LEAST, _MOST), rate_slope)
        differences = zeros(lane_type)
        if column > 0:
            differences = plus(differences, minus(here, left))
        if column < size - 1:
            differences = plus(differences, minus(here, load(zeros(lane_type), values, base + texel + right)))
        if row > 0:
            differences = plus(differences, minus(here, load(zeros(lane_type), above, column * right)))
        if row < size - 1:
            differences = plus(differences, minus(here, load(zeros(lane_type), values, base + texel + below)))
        gradient = plus_scaled(gradient, differences, smooth)
        incoming = load(zeros(lane_type), gradients, layout.plane_offset + texel)
        gradient = plus_scaled(gradient, incoming, first_coefficient)
        total = plus_times(total, incoming, folded)
        if frames > 1:
            incoming = load(zeros(lane_type), gradients, layout.plane_offset + layout.frame_stride + texel)
            gradient = plus_scaled(gradient, incoming, second_coefficient)
            second_total = plus_times(second_total, incoming, folded)
        for frame in range(2, frames):
            source = layout.plane_offset + frame * layout.frame_stride + texel
            incoming = load(zeros(lane_type), gradients, source)
            gradient = plus_scaled(gradient, incoming, item(coefficients, frame * images + at))
            to = (frame * images + at) * right
            store(sums, to, plus_times(load(zeros(lane_type), sums, to), incoming, folded))
        store(above, column * right, here)
        left = here
        adam(trained, base + texel, here, gradient, factors)
    if frames > 1:
        store(sums, (second_frame + at) * right, second_total)
    store(sums, at * right, total)


@kernel
def update(
    lane_type, static, basis, plane, size, gradients, layout, coefficients, frames, smooth, steps,
    rate_slopes, factors, above, sums,
):  # fmt: skip
    """Adam on one plane of all images of a scale, row by row: a row's gradients are used for all its images.

    ``static`` and ``basis`` are ``records.TrainedValues``; ``smooth``, the weights of differences, and
    ``steps`` are ``records.StaticAndBasis``; ``rate_slopes`` (image, plane, channel), ``above`` scratch for a
    row of each image.
    """
    images = len(coefficients) // frames
    texels = size * size * len(lane_type)
    width = size * len(lane_type)
    for row in range(size):
        for image in range(images):
            rate_slope = load(zeros(lane_type), rate_slopes, (image * PLANES + plane) * len(lane_type))
            row_above = above[image * width : (image + 1) * width]
            if image == 0:
                update_row(
                    lane_type, static, plane * texels, row, size, row_above, gradients, layout, coefficients,
                    0, images, frames, smooth.static, steps.static, rate_slope, factors, sums,
                )  # fmt: skip
            else:
                base = ((image - 1) * PLANES + plane) * texels
                update_row(
                    lane_type, basis, base, row, size, row_above, gradients, layout, coefficients,
                    image, images, frames, smooth.basis, steps.basis, rate_slope, factors, sums,
                )  # fmt: skip
