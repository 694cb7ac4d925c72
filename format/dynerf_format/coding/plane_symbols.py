"""Coding of the symbols of planes, image by image, texel by texel and channel by channel, in both directions.

See ``planes_coder.py`` for what is coded, ``plane_contexts.py`` for the contexts of each decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from dynerf_format.layout import SYMBOL_MAX

from .binary_coder import DECODING, INVALID, POSITION, code_number, coding_kernel
from .mixing import code_mixed
from .plane_contexts import (
    DEVIATING,
    HINTS,
    NODES,
    SPREADS,
    UNEVEN,
    WEIGHTS,
    add_energy,
    clip,
    median,
    quiet_contexts,
    surroundings,
    symbol_contexts,
    uneven_channels,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    Ints: TypeAlias = npt.NDArray[np.int32]

UNARY_MAX = 16
LENGTH_BITS, LENGTH_MAX = 5, 26  # of the number of bits of what is left


class Known(NamedTuple):
    """Symbols of the same image that are known: coarser ones (``factor`` > 0), the previous segment's."""

    coarse: Ints
    factor: int
    previous: Ints
    continued: bool


@coding_kernel
def code_planes(coder, data, symbols, coarse, factor, previous, texels, mixer, quiet_mixer):
    """Code all images; ``symbols`` are (image, plane, channel, row, column), filled when decoding.

    ``coarse`` and ``previous`` have the same shape, or no elements. A decoder stops after the row of texels
    in which the bytes end too early: without this, a few bytes could keep it busy for as long as a whole
    file.
    """
    images, planes, channels, height, width = symbols.shape
    for image in range(images):
        for plane in range(planes):
            known = Known(
                coarse[image, plane] if len(coarse) else symbols[image, plane],
                factor if len(coarse) else 0,
                previous[image, plane] if len(previous) else symbols[image, plane],
                len(previous) > 0,
            )
            texels.rows[:] = 0
            texels.deviations[:] = 0
            number = (image * planes + plane) * channels
            for y in range(height):
                for x in range(width):
                    code_texel(
                        coder, data, symbols[image, plane], known, texels, mixer, quiet_mixer, plane,
                        number, y, x,
                    )  # fmt: skip
                if coder[DECODING] and coder[POSITION] > len(data):
                    return
            add_energy(texels.energy[plane], symbols[image, plane])


@coding_kernel
def code_texel(coder, data, symbols, known, texels, mixer, quiet_mixer, plane, number, y, x):
    """Code the channels of one texel."""
    channels, height, width = symbols.shape
    here = texels.rows[y % 3]
    uneven, coloured = uneven_channels(texels.rows, y, x)
    if uneven == 0 and is_certain(known, here, symbols.shape, y, x):
        changed = 0
        for c in range(channels):
            changed |= symbols[c, y, x] != here[x + 1, c]
        rows = quiet_contexts(texels, plane, y, x, height, width, coloured)
        if not code_mixed(coder, data, changed, quiet_mixer, texels.quiet_contexts, 0, rows):
            for c in range(channels):
                here[x + 2, c] = symbols[c, y, x] = here[x + 1, c]
            return
    around = surroundings(texels.deviations, y, x)
    deviating = 0
    for c in range(channels):
        found = code_symbol(
            coder, data, symbols, known, texels, mixer, around, number, c, y, x, (uneven, deviating)
        )
        deviating += found != 0
    texels.deviations[y + 2, x + 2] = deviating


@coding_kernel
def expected_symbol(known, c, y, x, middle):
    """The expected symbol, given the median of the neighbourhood, and the centre of what is possible."""
    expected = middle
    if known.continued:
        expected = known.previous[c, y, x]
    if known.factor > 0:
        centre, reach = known.factor * known.coarse[c, y, x], known.factor >> 1
        return max(centre - reach, min(centre + reach, expected)), centre
    return expected, expected


@coding_kernel
def slopes(known, c, y, x):
    """Signs of the differences of the known symbol to the right and below to this one; 0 at the border."""
    if known.factor == 0 and not known.continued:
        return 0, 0
    values = known.coarse if known.factor > 0 else known.previous
    value = values[c, y, x]
    right = clip(values[c, y, x + 1] - value, 1) if x + 1 < values.shape[2] else 0
    below = clip(values[c, y + 1, x] - value, 1) if y + 1 < values.shape[1] else 0
    return right, below


@coding_kernel
def is_certain(known, here, shape, y, x):
    """Whether in all channels of an even neighbourhood what is known agrees with the left neighbour."""
    if known.factor == 0 and not known.continued:
        return True
    for c in range(shape[0]):
        left = here[x + 1, c]
        right, below = slopes(known, c, y, x)
        if right != 0 or below != 0 or expected_symbol(known, c, y, x, left)[0] != left:
            return False
    return True


@coding_kernel
def code_symbol(coder, data, symbols, known, texels, mixer, around, number, c, y, x, channels_before):
    """Code one symbol; return its difference to the expected one. For the last argument see the contexts."""
    here, above = texels.rows[y % 3], texels.rows[(y + 2) % 3]
    middle = median(here[x + 1, c], above[x + 2, c], above[x + 1, c])
    expected, centre = expected_symbol(known, c, y, x, middle)
    right, below = slopes(known, c, y, x)
    hints = right + below, clip(expected - centre, 1), clip(middle - expected, 2)
    sign, spread, hint = symbol_contexts(
        texels, around, number + c, c, y, x, expected, hints, channels_before
    )
    uneven, deviating = min(UNEVEN - 1, channels_before[0]), min(DEVIATING - 1, channels_before[1])
    row = hint if known.factor > 0 or known.continued else HINTS + spread * UNEVEN + uneven
    rows = row, spread * DEVIATING + deviating
    difference = np.int64(symbols[c, y, x]) - expected
    difference = sign * code_difference(coder, data, difference * sign, mixer, texels.contexts, rows)
    symbol = expected + difference
    if abs(symbol) > SYMBOL_MAX:
        coder[INVALID], symbol = 1, 0
    symbols[c, y, x] = here[x + 2, c] = symbol
    return difference


@coding_kernel
def code_difference(coder, data, r, mixer, contexts, rows):
    """Code r: is it 0, its side, and its magnitude."""
    if not code_node(coder, data, r != 0, mixer, contexts, rows, 0):
        return np.int64(0)
    negative = code_node(coder, data, r < 0, mixer, contexts, rows, 1)
    magnitude, size = abs(r), np.int64(1)
    while size <= UNARY_MAX:
        node = min(int(size) + 1, NODES // 2 - 1) + (NODES // 2 if negative else 0)
        if not code_node(coder, data, magnitude > size, mixer, contexts, rows, node):
            return -size if negative else size
        size += 1
    rest, length = magnitude - size, 0
    while rest >> length > 0:
        length += 1
    length = code_number(coder, data, length, LENGTH_BITS)
    size += code_number(coder, data, rest, min(length, LENGTH_MAX))
    return -size if negative else size


@coding_kernel
def code_node(coder, data, bit, mixer, contexts, rows, node):
    """Code one decision of a symbol."""
    rows = node * WEIGHTS + rows[0], node * SPREADS * DEVIATING + rows[1]
    return code_mixed(coder, data, bit, mixer, contexts, node, rows)
