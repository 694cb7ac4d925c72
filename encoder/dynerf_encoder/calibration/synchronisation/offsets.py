"""Offsets of all cameras from scores of pairs: how well each difference of offsets explains a pair.

``PairScores.scores[k]`` belongs to the lag ``k - reach``, where lag = offset of ``first`` - offset of
``second``, in frames. Higher is better; scores of all pairs are comparable. Cameras are joined along the
clearest pairs first, then every camera is moved to the lag that its pairs together prefer (coordinate
descent). The confidence of a camera is how far its best offset stands out from all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

LEAST_MARGIN = 2.5  # standard deviations
LEAST_AGREEING = 0.5  # share of a camera's pairs
_BESIDE = 1  # frames beside a peak that belong to it
_LEAST_OTHERS = 4  # scores beside the peak that its margin is compared with
_ROUNDS = 20  # of coordinate descent; it converges in a few


@dataclass(frozen=True, eq=False)
class PairScores:
    """Scores of one pair of cameras (indices) at the lags -reach to reach."""

    first: int
    second: int
    scores: Float[np.ndarray, " lag"]

    @property
    def reach(self) -> int:
        """The largest lag."""
        return len(self.scores) // 2


@dataclass(frozen=True, eq=False)
class JointOffsets:
    """Offsets in frames (fractions by the shape of the peaks), and how clearly each one is the best.

    ``margins`` are in standard deviations of a camera's summed scores; 0 for cameras without any pair.
    ``agreeing`` is the share of a camera's pairs whose own best lag is that of the offsets; ``closed`` that
    of all pairs beyond those that any offsets could satisfy (a tree). ``curves[i]`` are the summed scores of
    camera i by lag around its offset, for the report.
    """

    whole: tuple[int, ...]
    fractions: tuple[float, ...]
    margins: tuple[float, ...]
    agreeing: tuple[float, ...]
    closed: float
    curves: Float[np.ndarray, "camera lag"]

    @property
    def clear(self) -> tuple[bool, ...]:
        """Which offsets are trusted: noise reaches high margins, but its pairs do not agree."""
        both = zip(self.margins, self.agreeing, strict=True)
        return tuple(
            self.closed >= LEAST_AGREEING and margin >= LEAST_MARGIN and share > LEAST_AGREEING
            for margin, share in both
        )


def joint_offsets(cameras: int, pairs: Sequence[PairScores]) -> JointOffsets:
    """Offsets of all cameras, relative to camera 0 or to the first one of a group that is not connected."""
    reach = max((pair.reach for pair in pairs), default=0)
    offsets = _by_tree(cameras, pairs)
    for _ in range(_ROUNDS):
        before = offsets.copy()
        for camera in range(cameras):
            curve = _summed(camera, offsets, pairs, 2 * reach)
            if curve.any():
                offsets[camera] += int(curve.argmax()) - 2 * reach
        if (before == offsets).all():
            break
    curves = np.stack([_summed(camera, offsets, pairs, reach) for camera in range(cameras)])
    return JointOffsets(
        tuple(int(offset) for offset in offsets),
        tuple(_fraction(curve) for curve in curves),
        tuple(margin(curve) for curve in curves),
        tuple(_agreeing(camera, offsets, pairs) for camera in range(cameras)),
        _closed(cameras, offsets, pairs),
        curves,
    )


def margin(curve: Float[np.ndarray, " lag"]) -> float:
    """How far the best score is above the best one elsewhere, in standard deviations of all others.

    Scores of exactly 0 are those of lags without enough common frames, and do not count.
    """
    best = int(curve.argmax())
    beside = np.abs(np.arange(len(curve)) - best) <= _BESIDE
    others = curve[(curve != 0) & ~beside]
    if len(others) < _LEAST_OTHERS:
        return 0.0
    spread = float(others.std())
    return float(curve[best] - others.max()) / spread if spread > 0 else 0.0


def _agreeing(camera: int, offsets: np.ndarray, pairs: Sequence[PairScores]) -> float:
    """The share of a camera's pairs whose best lag is within a frame of that of the offsets."""
    same = [_agrees(pair, offsets) for pair in pairs if camera in (pair.first, pair.second)]
    return sum(same) / len(same) if same else 0.0


def _closed(cameras: int, offsets: np.ndarray, pairs: Sequence[PairScores]) -> float:
    """The share of the pairs that agree, both without the number that a tree of all cameras has."""
    spare = len(pairs) - (cameras - 1)
    agreeing = sum(_agrees(pair, offsets) for pair in pairs)
    return max(agreeing - (cameras - 1), 0) / spare if spare > 0 else 0.0


def _agrees(pair: PairScores, offsets: np.ndarray) -> bool:
    lag = int(pair.scores.argmax()) - pair.reach
    return bool(abs(lag - (offsets[pair.first] - offsets[pair.second])) <= _BESIDE)


def _by_tree(cameras: int, pairs: Sequence[PairScores]) -> np.ndarray:
    """First offsets: pairs in the order of their margin join groups of cameras."""
    offsets, group = np.zeros(cameras, np.int64), np.arange(cameras)
    for pair in sorted(pairs, key=lambda pair: -margin(pair.scores)):
        if group[pair.first] == group[pair.second]:
            continue
        lag = int(pair.scores.argmax()) - pair.reach
        moved = group == group[pair.first]
        offsets[moved] += offsets[pair.second] + lag - offsets[pair.first]
        group[moved] = group[pair.second]
    return offsets


def _summed(camera: int, offsets: np.ndarray, pairs: Sequence[PairScores], reach: int) -> np.ndarray:
    """Mean scores of a camera's pairs if its offset changed by -reach to reach frames."""
    total = np.zeros(2 * reach + 1)
    count = 0
    for pair in pairs:
        if camera not in (pair.first, pair.second):
            continue
        scores = pair.scores if camera == pair.first else pair.scores[::-1]
        other = pair.second if camera == pair.first else pair.first
        lags = np.arange(-reach, reach + 1) + (offsets[camera] - offsets[other]) + pair.reach
        inside = (lags >= 0) & (lags < len(scores))
        total[inside] += scores[lags[inside]]
        count += 1
    return total / max(count, 1)


def _fraction(curve: np.ndarray) -> float:
    """The vertex of the parabola through a peak at the centre and its neighbours, -0.5 to 0.5."""
    centre = len(curve) // 2
    if centre < 1 or int(curve.argmax()) != centre:
        return 0.0
    left, peak, right = curve[centre - 1 : centre + 2]
    bend = left - 2 * peak + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
