"""Cameras of another zoom than those that they share a lens with: wrong poses then fit one focal length.

The matches are solved once more with a lens for each camera. Free focal lengths follow false matches, so a
difference counts only where these poses explain clearly more of the cameras' matches than the shared lens.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from dynerf_encoder.captures.pairing import listed

from .agreement import explained
from .colmap.problem import LensGroup, Solution
from .pairs.votes import PooledMatches

_LEAST_DIFFERENCE = 1.06  # ratio of focal lengths
_LEAST_REST = 0.6  # of the matches that were not explained may remain so


def lens_per_camera(
    groups: Sequence[LensGroup], group: Mapping[str, int]
) -> tuple[tuple[LensGroup, ...], dict[str, int]] | None:
    """Groups of one camera each; None where no lens is shared or focal lengths are known."""
    if len(group) == len(groups) or all(lens.known for lens in groups):
        return None
    return tuple(groups[index] for index in group.values()), dict(zip(group, range(len(group)), strict=True))


def different_zooms(
    shared: Solution, free: Solution, group: Mapping[str, int], matches: PooledMatches
) -> dict[str, float]:
    """Cameras with another zoom than most of their ``group``: their focal lengths as a ratio to the others'.

    ``free`` is solved with a lens for each camera.
    """
    names = [name for name in shared.names if name in free.names]
    focal = {name: free.lenses[free.names.index(name)].focal_x for name in names}
    ratios: dict[str, float] = {}
    for index in set(group.values()):
        ratios |= _ratios({name: focal[name] for name in names if group[name] == index})
    if not ratios:
        return {}
    of_both = [pair for pair in matches.pairs if focal.keys() >= set(pair)]
    of_them = [pair for pair in of_both if not ratios.keys().isdisjoint(pair)]
    before, after = (_unexplained(found, matches, of_them) for found in (shared, free))
    return ratios if after <= _LEAST_REST * before else {}


def _ratios(focal: Mapping[str, float]) -> dict[str, float]:
    """Of cameras whose focal length differs from the one that most cameras have: the ratio to it."""
    logarithms = np.log(list(focal.values()))
    near = np.abs(logarithms[:, None] - logarithms) < np.log(_LEAST_DIFFERENCE) / 2
    usual = np.median(logarithms[near[near.sum(axis=1).argmax()]])
    ratios = dict(zip(focal, np.exp(logarithms - usual).tolist(), strict=True))
    return {name: ratio for name, ratio in ratios.items() if abs(np.log(ratio)) > np.log(_LEAST_DIFFERENCE)}


def _unexplained(solution: Solution, matches: PooledMatches, pairs: Sequence[tuple[str, str]]) -> int:
    found = explained(solution, matches)
    return sum(found[pair][1] - found[pair][0] for pair in pairs)


def described(zooms: Mapping[str, float]) -> str:
    """What is wrong, and what to do."""
    low, high = min(zooms.values()), max(zooms.values())
    times = f"{low:.2f}" if high < low * _LEAST_DIFFERENCE else f"{low:.2f} to {high:.2f}"
    return (
        f"cameras differ in zoom: the focal length of {listed(list(zooms))} is about {times} times that of "
        "the others; use --same-lens no, or --same-lens per-folder with a folder of videos for each zoom"
    )
