"""Points of the scene from matched points and given poses: what the report draws and predicts.

Matches that the poses explain are joined to tracks (one point seen by several cameras), and each track is
triangulated by all its rays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from dynerf_encoder.calibration.agreement import explained_matches
from dynerf_encoder.calibration.colmap.problem import Solution
from dynerf_encoder.calibration.pairs.epipolar import Pose
from dynerf_encoder.calibration.pairs.votes import PooledMatches
from dynerf_encoder.calibration.verdict import predicted_errors, triangulated
from dynerf_encoder.captures.lens import Lens


def solution_of(
    names: Sequence[str], lenses: Mapping[str, Lens], poses: Mapping[str, Pose], matches: PooledMatches
) -> Solution:
    """The rig as ``calibration`` describes one, with the points that its poses explain."""
    bare = Solution(
        tuple(names), tuple(poses[name] for name in names), tuple(lenses[name] for name in names),
        np.zeros((0, 3)), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2)),
        sum(map(len, matches.pairs.values())),
    )  # fmt: skip
    camera, places, track = _tracks(bare, matches)
    seen = replace(
        bare,
        points=np.zeros((int(track.max(initial=-1)) + 1, 3)),
        seen_point=track,
        seen_camera=camera,
        seen=places,
    )
    points, parallel = triangulated(seen, np.ones(len(track), bool))
    number = np.cumsum(~parallel) - 1
    kept = ~parallel[track]
    return replace(
        seen,
        points=points[~parallel],
        seen_point=number[track[kept]],
        seen_camera=camera[kept],
        seen=places[kept],
    )


def predicted_medians(solution: Solution) -> dict[str, float]:
    """How far each camera's points are from where the other cameras predict them: medians in pixels."""
    found = [predicted_errors(solution, index) for index in range(len(solution.names))]
    return {
        name: float(np.median(errors)) if len(errors) else float("nan")
        for name, errors in zip(solution.names, found, strict=True)
    }


def _tracks(
    rig: Solution, matches: PooledMatches
) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, "k 2"], Int[np.ndarray, " k"]]:
    """Camera, position and number of the track of every observation; tracks see each camera at most once."""
    sizes = [len(matches.positions[name]) for name in rig.names]
    starts = dict(zip(rig.names, np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int), strict=True))
    links = [np.zeros((0, 2), np.int64)]
    for pair, found in matches.pairs.items():
        good = found[explained_matches(rig, matches, pair)]
        links.append(good + np.array([starts[pair[0]], starts[pair[1]]]))
    label = _connected(sum(sizes), np.concatenate(links))
    camera = np.repeat(np.arange(len(sizes)), sizes)
    places = np.concatenate([matches.positions[name] for name in rig.names])
    seen, times = np.unique(np.column_stack([label, camera]), axis=0, return_counts=True)
    ambiguous = seen[times > 1, 0]
    alone = np.bincount(label, minlength=len(label))[label] < 2
    kept = ~alone & ~np.isin(label, ambiguous)
    return camera[kept], places[kept], np.unique(label[kept], return_inverse=True)[1].astype(np.int64)


def _connected(count: int, links: Int[np.ndarray, "link 2"]) -> Int[np.ndarray, " node"]:
    """The smallest node that each node is linked to, through others as well."""
    label = np.arange(count)
    while True:
        smallest = np.minimum(label[links[:, 0]], label[links[:, 1]])
        before = label.copy()
        np.minimum.at(label, links[:, 0], smallest)
        np.minimum.at(label, links[:, 1], smallest)
        label = label[label]
        if (label == before).all():
            return label
