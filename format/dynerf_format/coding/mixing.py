"""Logistic mixing: the probability of a binary decision from several adaptive estimates, in integers.

Every estimate belongs to a context and counts how often the decision was 1 in it. The estimates p are
*stretched* to s = log2(p / (1 - p)), summed with learned weights, and *squashed* back. A last table corrects
the result by how often it came true. Units: estimates have 22 bits, probabilities 16 bits, stretched values
are in 256ths of an octave, weights in 65536ths. (M. Mahoney, "Adaptive weighing of context models for lossless
data compression", 2005.)

All numbers are below 2^53, so 64-bit floating point, as in JavaScript, is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .binary_coder import code_bit, coding_kernel
from .parametric_tables import power_of_two

if TYPE_CHECKING:
    import numpy.typing as npt

ESTIMATE_BITS, PROBABILITY_BITS = 22, 16
STRETCHED_MAX = 4095
COUNT_BITS = 7
COUNT_MAX = (1 << COUNT_BITS) - 1
BINS = 33
"""Entries of a row of corrections: stretched values -4096, -3840, ..., 4096."""
WEIGHT_MAX = 2**20
_STRETCH_INDEX = COUNT_BITS + 10  # bits of an estimate and its count below the index of the stretch table
_RARE = 16  # the smallest probability of either value, in 65536ths
_INITIAL_WEIGHT = 20000
_CORRECTION_RATE = 6


def _squash_table() -> npt.NDArray[np.int32]:
    powers = power_of_two(np.arange(-STRETCHED_MAX, STRETCHED_MAX + 1))
    exact = (powers << PROBABILITY_BITS) // (powers + (1 << PROBABILITY_BITS))
    return np.clip(exact, _RARE, (1 << PROBABILITY_BITS) - _RARE).astype(np.int32)


SQUASH = _squash_table()
"""The 16-bit probability of each stretched value from -4095 to 4095."""
STRETCH = (
    np.minimum(np.searchsorted(SQUASH, (2 * np.arange(4096) + 1) * 8), 2 * STRETCHED_MAX) - STRETCHED_MAX
).astype(np.int32)
"""The smallest stretched value whose probability is at least (2 i + 1) / 8192, at most 4095."""
RATES = (8192 // (2 * np.arange(COUNT_MAX + 1) + 3)).astype(np.int32)
"""The share of the error, in 4096ths, that an estimate learns after n decisions."""


class Mixer(NamedTuple):
    """The state of the mixing of one kind of decision.

    ``estimates`` are those of the contexts, each with its count of decisions in the lowest 7 bits; ``weights``
    are (row, input), ``corrections`` (row, bin), both flat. ``inputs`` is scratch.
    """

    estimates: npt.NDArray[np.int32]
    weights: npt.NDArray[np.int32]
    corrections: npt.NDArray[np.int32]
    inputs: npt.NDArray[np.int32]


def new_mixer(contexts: int, inputs: int, rows: int, corrections: int) -> Mixer:
    """The initial state for so many contexts, inputs, rows of weights and rows of corrections."""
    bins = SQUASH[np.clip(256 * np.arange(BINS) - 1, 0, 2 * STRETCHED_MAX)]
    return Mixer(
        np.full(contexts, 1 << ESTIMATE_BITS - 1 + COUNT_BITS, np.int32),
        np.full(rows * inputs, _INITIAL_WEIGHT, np.int32),
        np.tile(bins, corrections),
        np.zeros(inputs, np.int32),
    )


@coding_kernel
def code_mixed(coder, data, bit, mixer, contexts, node, rows):
    """Code one decision and learn from it; return it.

    ``bit`` is the decision when encoding and ignored when decoding. ``contexts`` plus ``node`` are indices of
    the estimates, ``rows`` those of the weights and corrections.
    """
    estimates, inputs, weights = mixer.estimates, mixer.inputs, mixer.weights
    count, total = len(contexts), np.int64(0)
    row, bins = rows[0] * count, rows[1] * BINS
    for i in range(count):
        stretched = STRETCH[estimates[contexts[i] + node] >> _STRETCH_INDEX]
        inputs[i] = stretched
        total += np.int64(weights[row + i]) * stretched
    total = min(max(total >> 16, -STRETCHED_MAX), STRETCHED_MAX)
    probability = np.int64(SQUASH[total + STRETCHED_MAX])
    corrections, position = mixer.corrections, total + STRETCHED_MAX + 1
    entry, part = bins + (position >> 8), position & 255
    corrected = corrections[entry] * (256 - part) + corrections[entry + 1] * part >> 8
    final = min(max(probability + corrected >> 1, _RARE), (1 << PROBABILITY_BITS) - _RARE)
    bit = code_bit(coder, data, bit, final)
    error = (bit << PROBABILITY_BITS) - probability
    for i in range(count):
        change = inputs[i] * error + 16384 >> 15
        weights[row + i] = min(max(weights[row + i] + change, -WEIGHT_MAX), WEIGHT_MAX)
        estimates[contexts[i] + node] = learned(estimates[contexts[i] + node], bit)
    goal = (1 << PROBABILITY_BITS) - 1 if bit else 0
    corrections[entry] += goal - corrections[entry] >> _CORRECTION_RATE
    corrections[entry + 1] += goal - corrections[entry + 1] >> _CORRECTION_RATE
    return bit


@coding_kernel
def learned(estimate, bit):
    """An estimate moved towards a decision, the less the more decisions it has counted."""
    count, value = estimate & COUNT_MAX, np.int64(estimate >> COUNT_BITS)
    if bit:
        value += ((1 << ESTIMATE_BITS) - 1 - value >> 3) * RATES[count] >> 9
    else:
        value -= (value >> 3) * RATES[count] >> 9
    return value << COUNT_BITS | min(count + 1, COUNT_MAX)
