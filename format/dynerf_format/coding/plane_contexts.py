"""Contexts of the planes coder: what a texel's neighbourhood says about it.

A *texel* is a place of an image of C channels. Images that share their index on the axis before the channels
(the planes xy, xz and yz) show the same part of the scene; ``energy`` sums the magnitudes of those coded
before. ``rows`` holds the current and the two previous rows of the image, (row modulo 3, column + 2,
channel), ``deviations`` for each texel the number of channels whose symbol was not the expected one. Outside
of the image everything is 0.

For a texel the coder needs the number of *uneven* channels, those whose left, upper, upper left and upper
right neighbours are not all equal, and for a channel

    expected symbol e   the median of left, up and left + up - upper left (LOCO-I), within what the coarser
                        symbol allows; in a continued tensor the previous segment's symbol instead
    sign s              of the three gradients of the neighbourhood, as in LOCO-I; or of e where they are zero
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .binary_coder import coding_kernel
from .mixing import Mixer, new_mixer

if TYPE_CHECKING:
    import numpy.typing as npt

NODES = 16
"""Decisions of a symbol: 0 is it e, 1 its side, 2 to 7 how far on one side, 10 to 15 on the other."""
PLACES = 16
"""Parts of an image along either axis whose texels share a context."""
_SIZES = tuple(NODES * classes for classes in (315, 625, 175, 768, 2625, 625))
STARTS = np.array([sum(_SIZES[:n]) for n in range(len(_SIZES))])
_QUIET_SIZES = (256, 144, 64, 16 * PLACES * PLACES * 4)
QUIET_STARTS = np.array([sum(_QUIET_SIZES[:n]) for n in range(len(_QUIET_SIZES))])
SPREADS, UNEVEN, DEVIATING, HINTS = 7, 9, 3, 75
"""Classes that choose the rows of weights and corrections."""
WEIGHTS = HINTS + SPREADS * UNEVEN
ENERGY_MAX = 2**16 - 1


class Texels(NamedTuple):
    """The state of an image in coding, see the module; ``contexts`` are those of one decision."""

    rows: npt.NDArray[np.int32]
    deviations: npt.NDArray[np.int32]
    energy: npt.NDArray[np.int32]
    contexts: npt.NDArray[np.int64]
    quiet_contexts: npt.NDArray[np.int64]


def new_texels(planes: int, channels: int, height: int, width: int) -> Texels:
    """The initial state for images of this size, ``planes`` of which follow each other."""
    return Texels(
        np.zeros((3, width + 3, channels), np.int32),
        np.zeros((height + 2, width + 3), np.int32),
        np.zeros((planes, height + 2, width + 2), np.int32),
        np.zeros(len(_SIZES), np.int64),
        np.zeros(len(_QUIET_SIZES), np.int64),
    )


def new_mixers() -> tuple[Mixer, Mixer]:
    """The mixers of a symbol's decisions, and of whether a quiet texel stays quiet."""
    return (
        new_mixer(sum(_SIZES), len(_SIZES), NODES * WEIGHTS, NODES * SPREADS * DEVIATING),
        new_mixer(sum(_QUIET_SIZES), len(_QUIET_SIZES), 16, 16),
    )


@coding_kernel
def clip(value, limit):
    """A value within -limit to limit."""
    return max(-limit, min(limit, value))


@coding_kernel
def half_octaves(value):
    """About twice the logarithm to base 2 of value + 1: 0, 2, 3, 4, 5 for values of 0, 1, 2, 3, 5."""
    value += 1
    octave = 0
    while value >> octave > 1:
        octave += 1
    return 2 * octave + (value >> octave - 1 & 1 if octave else 0)


@coding_kernel
def spread_class(spread):
    """0 to 6 for sums of gradients of 0, 1, 2, 3-4, 5-8, 9-16 and more."""
    if spread < 3:
        return spread
    return 3 if spread < 5 else 4 if spread < 9 else 5 if spread < 17 else 6


@coding_kernel
def level(gradient):
    """A gradient as -2 to 2: its sign, doubled from magnitude 3 on."""
    return clip(gradient, 1) + (gradient > 2) - (gradient < -2)


@coding_kernel
def median(left, up, upper_left):
    """The median of left, up and left + up - upper left."""
    return max(min(left, up), min(max(left, up), left + up - upper_left))


@coding_kernel
def uneven_channels(rows, y, x):
    """The number of uneven channels at a texel, and that of channels with a left or upper neighbour not 0."""
    here, above = rows[y % 3], rows[(y + 2) % 3]
    uneven, coloured = 0, 0
    for c in range(rows.shape[2]):
        left, up = here[x + 1, c], above[x + 2, c]
        uneven += left != up or up != above[x + 1, c] or up != above[x + 3, c]
        coloured += left != 0 or up != 0
    return uneven, coloured


@coding_kernel
def energy_around(energy, y, x):
    """The energy of a texel, of its four neighbours, and of all nine with its own counted three times."""
    own = energy[y + 1, x + 1]
    four = energy[y, x + 1] + energy[y + 2, x + 1] + energy[y + 1, x] + energy[y + 1, x + 2]
    corners = energy[y, x] + energy[y, x + 2] + energy[y + 2, x] + energy[y + 2, x + 2]
    return own, four, 3 * own + four + corners


@coding_kernel
def quiet_contexts(texels, plane, y, x, height, width, coloured):
    """Set the contexts of a quiet texel; return the rows of weights and corrections."""
    energy, deviations, contexts = texels.energy[plane], texels.deviations, texels.quiet_contexts
    near = (
        deviations[y + 1, x + 1]
        + deviations[y + 1, x + 2]
        + deviations[y + 1, x + 3]
        + deviations[y + 2, x + 1]
    )
    near, beyond = min(3, near), min(3, deviations[y + 2, x] + deviations[y, x + 2])
    far = 0
    for distance in range(3, 8):
        if x >= distance and deviations[y + 2, x + 2 - distance]:
            far |= 1
        if y >= distance and deviations[y + 2 - distance, x + 2]:
            far |= 2
    level = min(15, half_octaves(energy_around(energy, y, x)[2]))
    mask = (energy[y + 1, x + 1] > 0) * 32 + (energy[y + 1, x + 2] > 0) * 16 + (energy[y + 2, x + 1] > 0) * 8
    mask += (energy[y, x + 1] > 0) * 4 + (energy[y + 1, x] > 0) * 2 + (coloured > 0)
    place = ((plane & 15) * PLACES + y * PLACES // height) * PLACES + x * PLACES // width
    contexts[0] = (near * 4 + beyond) * 16 + level
    contexts[1] = (far * 4 + beyond) * 9 + min(8, coloured)
    contexts[2] = mask
    contexts[3] = place * 4 + level // 4
    for i in range(len(contexts)):
        contexts[i] += QUIET_STARTS[i]
    return near * 4 + beyond, level


@coding_kernel
def gradient_sign(left, up, upper_left, upper_right, expected):
    """The merged context of the three gradients, 0 to 62, and the sign s."""
    k = 25 * level(upper_right - up) + 5 * level(up - upper_left) + level(upper_left - left)
    if k == 0:
        return 0, -1 if expected < 0 else 1
    return abs(k), -1 if k < 0 else 1


@coding_kernel
def surroundings(deviations, y, x):
    """0 to 124, by how many channels deviate at the texels to the left, above and at both corners above."""
    left, up = deviations[y + 2, x + 1], deviations[y + 1, x + 2]
    corners = deviations[y + 1, x + 1] + deviations[y + 1, x + 3]
    return (min(4, left + 1 >> 1) * 5 + min(4, up + 1 >> 1)) * 5 + min(4, corners + 1 >> 1)


@coding_kernel
def symbol_contexts(texels, around, number, c, y, x, expected, hints, channels_before):
    """Set the contexts of a symbol; return its sign and its classes of spread, 0 to 6, and hints, 0 to 74.

    ``around`` is the class of ``surroundings``. ``hints`` are what is known about the symbol elsewhere, -2 to
    2, -1 to 1 and -2 to 2. ``channels_before`` are the numbers of uneven channels and of those before this
    one that deviate.
    """
    rows, contexts = texels.rows, texels.contexts
    here, above = rows[y % 3], rows[(y + 2) % 3]
    left, up, upper_left, upper_right = here[x + 1, c], above[x + 2, c], above[x + 1, c], above[x + 3, c]
    left_left, up_up = here[x, c], rows[(y + 1) % 3, x + 2, c]
    gradients, s = gradient_sign(left, up, upper_left, upper_right, expected)
    spread = abs(upper_right - up) + abs(up - upper_left) + abs(upper_left - left)
    spread = spread_class(spread + abs(left - left_left) + abs(up - up_up))
    uneven, deviating = channels_before
    beside = clip((left_left - expected) * s, 2) + 2
    near = (clip((left - expected) * s, 2) + 2) * 5 + clip((up - expected) * s, 2) + 2
    hint = ((hints[0] * s + 2) * 3 + hints[1] * s + 1) * 5 + hints[2] * s + 2
    contexts[0] = gradients * 5 + clip(expected, 2) * s + 2
    contexts[1] = (near * 5 + clip((upper_right - expected) * s, 2) + 2) * 5 + beside
    contexts[2] = ((clip((up_up - expected) * s, 2) + 2) * 5 + beside) * 7 + clip(expected, 3) * s + 3
    contexts[3] = (number & 255) * 3 + min(2, spread)
    contexts[4] = (hint * 7 + spread) * 5 + min(4, (uneven > 0) + (uneven > 1) + (uneven > 3) + (uneven > 7))
    contexts[5] = around * 5 + min(4, deviating)
    for i in range(len(contexts)):
        contexts[i] = STARTS[i] + contexts[i] * NODES
    return s, spread, hint


@coding_kernel
def add_energy(energy, symbols):
    """Add the magnitudes of an image's symbols (channel, row, column) to the energy of its plane."""
    channels, height, width = symbols.shape
    for y in range(height):
        for x in range(width):
            total = np.int64(energy[y + 1, x + 1])
            for c in range(channels):
                total += abs(symbols[c, y, x])
            energy[y + 1, x + 1] = min(total, ENERGY_MAX)
