"""Groups of cameras among which motion confirms the poses: a witness that matched points cannot deceive.

Repeated structure (the panels of a dome, a row of windows) joins cameras that see different parts of it: a
solution then places whole groups of cameras wrongly, explains their matches, and has a small reprojection
error. What moves between the cameras is seen on the same epipolar planes only with right poses
(``synchronisation.motion``). Cameras of one group are joined by pairs with a clear common motion; nothing is
known of cameras without such a pair. One false pair joins two groups, so the witness errs on the side of
poses: groups that share an axis of rotation with upright motion may count as one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from .colmap.problem import Solution
from .stills import StillFiles
from .synchronisation.motion import foreground, motion_scores, view_of_pictures
from .synchronisation.offsets import margin

_LEAST_SCORE, _LEAST_MARGIN = 0.25, 4.0  # correlation at the best lag; standard deviations above all others
_STEP = 2  # pixels of the thumbnails
_MOST_PICTURES = 4000  # of all cameras: more take longer and say the same


@dataclass(frozen=True)
class MotionGroups:
    """Disjoint groups of two cameras or more, the largest first."""

    groups: tuple[frozenset[str], ...] = ()

    @property
    def contradicted(self) -> frozenset[str]:
        """The cameras of all groups but the largest."""
        return frozenset().union(*self.groups[1:])

    @property
    def size(self) -> int:
        """The number of cameras of the largest group."""
        return max(map(len, self.groups), default=0)


Witness = Callable[[Solution], MotionGroups]
"""What motion says of a solution."""


def motion_witness(stills: Mapping[str, StillFiles]) -> Witness:
    """The witness of a recording, from the thumbnails of its cameras."""
    most = _MOST_PICTURES // max(len(stills), 1)
    pictures = {
        name: np.ascontiguousarray(
            np.load(files.thumbnails, mmap_mode="r", allow_pickle=False)[:most, ::_STEP, ::_STEP]
        )
        for name, files in stills.items()
    }
    moving = {name: foreground(found) for name, found in pictures.items()}
    return lambda solution: motion_groups(solution, pictures, moving)


def motion_groups(
    solution: Solution,
    pictures: Mapping[str, UInt8[np.ndarray, "_ _ _"]],
    moving: Mapping[str, UInt8[np.ndarray, "_ _"]],
) -> MotionGroups:
    """The groups of a solution's cameras; ``pictures`` are consecutive frames, not yet synchronised.

    ``moving`` is their ``foreground``.
    """
    names = solution.names
    if len(names) < 2:
        return MotionGroups()
    views = [
        view_of_pictures(pictures[name], lens, pose)
        for name, lens, pose in zip(names, solution.lenses, solution.poses, strict=True)
    ]
    group = {name: frozenset([name]) for name in names}
    for pair in motion_scores(views, moving=[moving[name] for name in names]):
        if pair.scores.max() >= _LEAST_SCORE and margin(pair.scores) >= _LEAST_MARGIN:
            joined = group[names[pair.first]] | group[names[pair.second]]
            group |= dict.fromkeys(joined, joined)
    found = [known for known in dict.fromkeys(group.values()) if len(known) > 1]
    return MotionGroups(tuple(sorted(found, key=lambda known: (-len(known), min(known)))))
