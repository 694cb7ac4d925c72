"""Folding planes and training them: two passes over memory per step.

Images lie in flat arrays (image, row, column, channel). A scale's planes are static and basis ones,

    out = 1 + sum over j of amount_j image_j,

of which number 0 is the static one, with amount 1. In stored form an image is rounded to multiples of
``step``; a ``step`` of 0 leaves it as it is.
"""

import numpy as np

from dynerf_decoder.backends.cpu.kernels.compiling import kernel
from dynerf_decoder.backends.cpu.kernels.lanes import (
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

_LEAST, _MOST = np.float32(-1), np.float32(1)
_CHUNK = 64  # texels folded at a time: the sums of all frames stay in the cache
_PLANES = 3


@kernel
def fold_part(like, values, base, texels, step, factors, out, to, other):
    """Add one image's texels, times two frames' ``factors``, to ``out``; its symbols' magnitudes, lane by
    lane.

    ``base`` is the image's first number in ``values``, ``texels`` the first and the last one (excluded),
    ``to`` and ``other`` are the frames' first numbers in ``out``. A frame that is its own other counts once.
    """
    first, second = factors
    total = zeros(like)
    for at in range(texels[0] * len(like), texels[1] * len(like), len(like)):
        value = load(zeros(like), values, base + at)
        if step > 0:
            symbols = rounded(divided(value, step))
            total = plus(total, magnitude(symbols))
            value = scaled(symbols, step)
        store(out, to + at, plus_scaled(load(zeros(like), out, to + at), value, first))
        if other != to:
            store(out, other + at, plus_scaled(load(zeros(like), out, other + at), value, second))
    return total


@kernel
def fold(like, static, basis, plane, texels, step, amounts, frames, out, spans, magnitudes):
    """One plane of all frames of a scale. ``amounts`` are (frame, image), ``magnitudes`` (image, plane,
    channel).

    ``spans`` are ``records.Spans`` of ``out``.
    """
    images = len(amounts) // frames
    one = splat(zeros(like), np.float32(1))
    for image in range(images):
        store(magnitudes, (image * _PLANES + plane) * len(like), zeros(like))
    for first in range(0, texels, _CHUNK):
        chunk = first, min(first + _CHUNK, texels)
        for frame in range(frames):
            for texel in range(chunk[0], chunk[1]):
                store(out, spans.plane + frame * spans.frame + texel * len(like), one)
        for image in range(images):
            into = (image * _PLANES + plane) * len(like)
            base = ((image - 1) * _PLANES + plane) * texels * len(like)
            total = load(zeros(like), magnitudes, into)
            for frame in range(0, frames, 2):
                other = min(frame + 1, frames - 1)
                factors = item(amounts, frame * images + image), item(amounts, other * images + image)
                to, beside = spans.plane + frame * spans.frame, spans.plane + other * spans.frame
                if image == 0:
                    here = plane * texels * len(like)
                    symbols = fold_part(like, static, here, chunk, step, factors, out, to, beside)
                else:
                    symbols = fold_part(like, basis, base, chunk, step, factors, out, to, beside)
                if frame == 0:
                    total = plus(total, symbols)
            store(magnitudes, into, total)


@kernel
def adam(values, first, second, at, here, gradient, rule):
    """One update of the texel at ``at``, t-th of all.

    ``rule`` are ``records.AdamNumbers``.
    """
    mean = load(here, first, at)
    mean = plus_scaled(mean, minus(gradient, mean), rule.ahead)
    store(first, at, mean)
    square = plus_scaled(scaled(load(here, second, at), rule.keep), times(gradient, gradient), rule.take)
    store(second, at, square)
    size = plus(scaled(square_root(square), rule.correction), splat(here, rule.epsilon))
    store(values, at, plus_scaled(here, quotient(mean, size), -rule.rate))


@kernel
def update_row(
    like, state, base, row, size, above, given, spans, amounts, at, images, frames, smooth, step, price, rule,
    sums,
):  # fmt: skip
    """Adam on one row of one image. ``above`` holds the row before as it was, and then this one.

    ``state`` is the values and their two moments; ``given`` the gradients of the folded planes, laid out as
    ``spans`` says (``fold``). To them come ``smooth`` times the differences to the neighbours and, in stored
    form, the price of symbols (``rate.py``). ``sums``, (frame, image, channel), takes the gradients of the
    amounts.
    """
    values, first, second = state
    right = len(like)
    below = size * right
    left = zeros(like)
    others = images if frames > 1 else 0  # to the second frame's numbers, where there is one
    first_amount, second_amount = item(amounts, at), item(amounts, others + at)
    total = load(zeros(like), sums, at * right)
    second_total = load(zeros(like), sums, (others + at) * right)
    for column in range(size):
        inside = row * below + column * right
        here = load(zeros(like), values, base + inside)
        seen = here
        gradient = zeros(like)
        if step > 0:
            position = divided(here, step)
            seen = scaled(rounded(position), step)
            gradient = times(clamped(position, _LEAST, _MOST), price)
        around = zeros(like)
        if column > 0:
            around = plus(around, minus(here, left))
        if column < size - 1:
            around = plus(around, minus(here, load(zeros(like), values, base + inside + right)))
        if row > 0:
            around = plus(around, minus(here, load(zeros(like), above, column * right)))
        if row < size - 1:
            around = plus(around, minus(here, load(zeros(like), values, base + inside + below)))
        gradient = plus_scaled(gradient, around, smooth)
        asked = load(zeros(like), given, spans.plane + inside)
        gradient = plus_scaled(gradient, asked, first_amount)
        total = plus_times(total, asked, seen)
        if frames > 1:
            asked = load(zeros(like), given, spans.plane + spans.frame + inside)
            gradient = plus_scaled(gradient, asked, second_amount)
            second_total = plus_times(second_total, asked, seen)
        for frame in range(2, frames):
            asked = load(zeros(like), given, spans.plane + frame * spans.frame + inside)
            gradient = plus_scaled(gradient, asked, item(amounts, frame * images + at))
            to = (frame * images + at) * right
            store(sums, to, plus_times(load(zeros(like), sums, to), asked, seen))
        store(above, column * right, here)
        left = here
        adam(values, first, second, base + inside, here, gradient, rule)
    if frames > 1:
        store(sums, (others + at) * right, second_total)
    store(sums, at * right, total)


@kernel
def update(
    like, static, basis, plane, size, given, spans, amounts, frames, smooth, step, prices, rule, above, sums
):
    """Adam on one plane of all images of a scale, row by row: the gradients of a row serve all its images.

    ``static`` and ``basis`` are values and moments, ``smooth`` the weights of differences in either,
    ``prices`` (image, plane, channel), ``above`` room for a row of each image.
    """
    images = len(amounts) // frames
    texels = size * size * len(like)
    width = size * len(like)
    for row in range(size):
        for image in range(images):
            price = load(zeros(like), prices, (image * _PLANES + plane) * len(like))
            room = above[image * width : (image + 1) * width]
            if image == 0:
                update_row(
                    like, static, plane * texels, row, size, room, given, spans, amounts, 0, images, frames,
                    smooth[0], step, price, rule, sums,
                )  # fmt: skip
            else:
                base = ((image - 1) * _PLANES + plane) * texels
                update_row(
                    like, basis, base, row, size, room, given, spans, amounts, image, images, frames,
                    smooth[1], step, price, rule, sums,
                )  # fmt: skip
