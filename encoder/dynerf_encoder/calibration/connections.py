"""Which cameras see the same: groups that do not connect are named, with what to film to join them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from dynerf_encoder.captures.pairing import listed
from dynerf_format.errors import CaptureError

from .footage import LEAST_SHARE
from .rig import RigSolution


def connected_groups(names: Sequence[str], pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The groups of cameras that pairs connect, the largest first."""
    group = {name: {name} for name in names}
    for first, second in pairs:
        if group[first] is not group[second]:
            joined = group[first] | group[second]
            for name in joined:
                group[name] = joined
    distinct = {id(found): found for found in group.values()}.values()
    ordered = [[name for name in names if name in found] for found in distinct]
    return sorted(ordered, key=lambda found: -len(found))


def check_connected(folder: Path, names: Sequence[str], rig: RigSolution) -> None:
    """CaptureError when fewer than 60 % of the cameras (or three) have a pose, naming both groups."""
    solved = [name for name in names if name in rig.solution.names]
    if len(solved) >= max(3, LEAST_SHARE * len(names)):
        return
    groups = connected_groups(names, rig.matches.pairs)
    others = [name for name in names if name not in solved]
    if len(groups) > 1:
        shown = " and ".join(f"({listed(group, 4)})" for group in groups[:2])
        what = f"{len(groups)} groups of cameras have no common matches: {shown}"
    else:
        what = f"({listed(solved, 4)}) have poses, ({listed(others, 4)}) could not be connected to them"
    raise CaptureError(
        f"{folder}: {what}; expected views that overlap: place a camera between both groups, or take a "
        "series of pictures from one to the other as an additional camera, and film something with texture"
    )
