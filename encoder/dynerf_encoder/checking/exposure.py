"""Differences of exposure: how bright matched points are in one camera against the others.

Of each pair the median ratio of brightness is taken; gains of all cameras follow by least squares.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8

from dynerf_encoder.calibration.pairs.votes import PooledMatches

DIFFERENT = 1.25  # times brighter or darker
_RANGE = (12.0, 243.0)  # grey levels that are neither black nor saturated
_LEAST_MATCHES = 15


def gains(
    names: Sequence[str],
    pictures: Mapping[str, UInt8[np.ndarray, "height width"]],
    scales: Mapping[str, float],
    matches: PooledMatches,
) -> dict[str, float]:
    """Brightness of cameras against the median of all, from the pairs' matches; 1 where nothing is known.

    ``pictures`` show one of the instants; a match of another instant is of the same static background or is
    an outlier of the median. ``scales`` are the sizes of the pictures against positions of ``matches``.
    """
    rows, values, weights = [], [], []
    for first, second in matches.pairs:
        levels = [
            _levels(pictures[name], places * scales[name])
            for name, places in zip((first, second), matches.matched((first, second)), strict=True)
        ]
        usable = np.logical_and.reduce([(found > _RANGE[0]) & (found < _RANGE[1]) for found in levels])
        if usable.sum() < _LEAST_MATCHES:
            continue
        row = np.zeros(len(names))
        row[names.index(first)], row[names.index(second)] = 1.0, -1.0
        rows.append(row)
        values.append(float(np.median(np.log(levels[0][usable] / levels[1][usable]))))
        weights.append(np.sqrt(usable.sum()))
    if not rows:
        return dict.fromkeys(names, 1.0)
    weight = np.array(weights)
    found = np.linalg.lstsq(np.array(rows) * weight[:, None], np.array(values) * weight, rcond=None)[0]
    return {name: float(np.exp(value - np.median(found))) for name, value in zip(names, found, strict=True)}


def _levels(
    picture: UInt8[np.ndarray, "height width"], places: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, " n"]:
    """The mean of 3x3 pixels around positions."""
    padded = np.pad(picture.astype(np.float64), 1, mode="edge")
    column = np.clip(places[:, 0].astype(int), 0, picture.shape[1] - 1)
    row = np.clip(places[:, 1].astype(int), 0, picture.shape[0] - 1)
    return np.asarray(sum(padded[row + dy, column + dx] for dy in range(3) for dx in range(3)) / 9)
