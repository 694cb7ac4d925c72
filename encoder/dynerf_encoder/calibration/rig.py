"""Solves the rig's poses from verified matches: several subsets of times, both mappers, then their agreement.

First all subsets are solved. Pairs whose matches the best solution does not explain are false (repeated
structure); they are removed and the subsets solved again, so that a camera that false pairs had moved is
placed by its true ones. Motion, which repeated structure cannot imitate, has the last word: the solution is
one of those of which it confirms the most cameras. One more solution has a lens for each camera, to see
whether zooms differ.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from dynerf_format.errors import CaptureError

from .agreement import Agreement, agree, explained
from .colmap.problem import EMPTY, LensGroup, Problem, Solution, read_arrays
from .colmap.run_children import check_all_succeeded, run_children
from .motion_groups import MotionGroups, Witness
from .pairs.features import Features
from .pairs.votes import PooledMatches, TimeMatches, pool
from .zooms import different_zooms, lens_per_camera

MAPPERS = ("incremental", "global")
_MOST_MATCHES = 400  # of a pair: more cost time and add little
_TRUE_SHARE = 0.3  # of a pair's matches that right poses explain
_VOTES = 2
_DRAWS, _DRAWN_SHARE = 2, 0.7  # random parts of the pairs


@dataclass(frozen=True, eq=False)
class RigSolution:
    """The chosen solution, the agreement that chose it, and all pooled matches.

    ``motion`` has the groups of cameras among which motion confirms the poses, ``zooms`` the cameras of
    another zoom than those with which they share a lens.
    """

    solution: Solution
    agreement: Agreement
    matches: PooledMatches
    mapper: str
    motion: MotionGroups = field(default_factory=MotionGroups)
    zooms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RigRequest:
    """What is to be solved: lenses by group, cameras' groups, the seed; ``work`` holds the files.

    ``witness`` states what motion says of a solution.
    """

    groups: tuple[LensGroup, ...]
    group: Mapping[str, int]
    seed: int
    work: Path
    threads: int
    witness: Witness


def read_time(features: Mapping[str, Path], matches: Path) -> TimeMatches:
    """One time's positions and verified matches from their files."""
    head, arrays = read_arrays(matches)
    pairs = {(first, second): arrays[f"pair{i}"] for i, (first, second) in enumerate(head["pairs"])}
    return TimeMatches({name: Features.read(path).positions for name, path in features.items()}, pairs)


def subsets(times: int) -> list[tuple[int, ...]]:
    """Indices of the times of each solution: all of them first, then parts that share as few as possible."""
    everything = tuple(range(times))
    if times < 3:
        return [everything]
    if times == 3:
        return [everything, (0, 1), (1, 2)]
    return [everything, everything[::2], everything[1::2]]


def solve_rig(
    request: RigRequest, times: Sequence[TimeMatches], progress: Callable[[int, int], None]
) -> RigSolution:
    """Solve, remove false pairs, solve again. Raises CaptureError when nothing is reconstructed."""
    pooled = [_pooled(request, [times[index] for index in indices]) for indices in subsets(len(times))]
    if len(pooled) == 1:
        pooled += [_some_pairs(pooled[0], request.seed + index) for index in range(_DRAWS)]
    alone = lens_per_camera(request.groups, request.group)
    total = 2 * len(pooled) * len(MAPPERS) + (alone is not None)
    first = _solve(request, pooled, "first", lambda done: progress(done, total))
    true_pairs = _true_pairs(first, pooled)
    pruned = [_only(matches, true_pairs) for matches in pooled]
    second = _solve(request, pruned, "second", lambda done: progress(len(first) + done, total))
    found = [solution for solution in second if len(solution.names) >= 3]
    whole = [solution for solution in second[: len(MAPPERS)] if len(solution.names) >= 3]
    if not whole:
        raise _nothing(request, pooled[0])
    candidates, groups = _confirmed(whole, request.witness)
    agreement = agree(found, [_index(found, candidate) for candidate in candidates], pooled[0])
    chosen = found[agreement.reference]
    zooms = {}
    if alone is not None:
        single = replace(request, groups=alone[0], group=alone[1])
        free = _solve(single, pooled[:1], "zooms", lambda _: progress(total, total), MAPPERS[:1])[0]
        zooms = different_zooms(chosen, free, request.group, pooled[0])
    mapper = MAPPERS[_index(second, chosen) % len(MAPPERS)]
    return RigSolution(chosen, agreement, pooled[0], mapper, groups[_index(candidates, chosen)], zooms)


def _confirmed(solutions: Sequence[Solution], witness: Witness) -> tuple[list[Solution], list[MotionGroups]]:
    """The solutions of which motion confirms the most cameras, and their groups."""
    groups = [witness(solution) for solution in solutions]
    most = max(found.size for found in groups)
    kept = [index for index, found in enumerate(groups) if found.size == most]
    return [solutions[index] for index in kept], [groups[index] for index in kept]


def _index(solutions: Sequence[Solution], wanted: Solution) -> int:
    return next(index for index, solution in enumerate(solutions) if solution is wanted)


def _pooled(request: RigRequest, times: Sequence[TimeMatches]) -> PooledMatches:
    found = pool(tuple(request.group), times, min(_VOTES, len(times)))
    generator = np.random.default_rng(request.seed)
    pairs = {}
    for pair, matches in found.pairs.items():
        if len(matches) > _MOST_MATCHES:
            matches = matches[np.sort(generator.choice(len(matches), _MOST_MATCHES, replace=False))]
        pairs[pair] = matches
    return replace(found, pairs=pairs)


def _some_pairs(matches: PooledMatches, seed: int) -> PooledMatches:
    """The matches of a random part of the pairs: where there are too few times for parts of them."""
    generator = np.random.default_rng(seed)
    return _only(matches, {pair for pair in matches.pairs if generator.random() < _DRAWN_SHARE})


def _solve(
    request: RigRequest,
    pooled: Sequence[PooledMatches],
    name: str,
    progress: Callable[[int], None],
    mappers: Sequence[str] = MAPPERS,
) -> list[Solution]:
    """Solutions of every subset by every mapper, in this order; files that are there are used."""
    folder = request.work / "solutions"
    items = []
    for index, matches in enumerate(pooled):
        for mapper in mappers:
            source, target = (
                folder / f"{name}_{index}_{mapper}.problem.npz",
                folder / f"{name}_{index}_{mapper}.npz",
            )
            Problem(request.groups, request.group, matches, mapper, request.seed).write(source)
            items.append((str(source), str(target)))
    missing = [item for item in items if not Path(item[1]).exists()]
    already = len(items) - len(missing)
    progress(already)
    requests = [{"items": [item]} for item in missing]
    ends = run_children("solve", requests, request.threads, lambda done: progress(already + done))
    if missing and len(missing) == len(items) and None not in ends:
        check_all_succeeded(ends, "poses")
    # COLMAP can abort on a degenerate subset; the others decide then.
    return [Solution.read(Path(target)) if Path(target).exists() else EMPTY for _, target in items]


def _true_pairs(solutions: Sequence[Solution], pooled: Sequence[PooledMatches]) -> set[tuple[str, str]]:
    """Pairs whose matches the best of the first solutions explains, or about which it says nothing."""
    usable = [index for index, solution in enumerate(solutions) if len(solution.names) >= 3]
    everything = set().union(*(matches.pairs for matches in pooled))
    if not usable:
        return everything
    agreement = agree([solutions[index] for index in usable], range(len(usable)), pooled[0])
    found = explained(agreement.chosen, pooled[0])
    return everything - {pair for pair, (good, total) in found.items() if good < _TRUE_SHARE * total}


def _only(matches: PooledMatches, pairs: set[tuple[str, str]]) -> PooledMatches:
    return replace(matches, pairs={pair: found for pair, found in matches.pairs.items() if pair in pairs})


def _nothing(request: RigRequest, matches: PooledMatches) -> CaptureError:
    return CaptureError(
        f"poses: no three of {len(request.group)} cameras could be connected ({len(matches.pairs)} pairs "
        "have matches); expected views that overlap and show texture: hang up posters or newspapers and film "
        "them for ten seconds, or move neighbouring cameras closer (at most about 30 degrees apart)"
    )
