"""Cameras whose pictures are black, do not change, or are those of another camera."""

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np
from jaxtyping import Float, UInt8

from .finding import Finding

Pictures = Mapping[str, UInt8[np.ndarray, "frame height width"]]
"""Small grey pictures of the same instants, by camera."""

_BLACK = 8  # grey levels: the 99th percentile of a black picture
_STILL = 0.05  # grey levels: mean difference of consecutive pictures of a still one
_LEAST_STILL = 3  # pictures in a row that are one
_MOVING = 0.5  # share of the other cameras that change meanwhile
_EQUAL = 3.0  # grey levels: difference of two encodings of the same pictures
_EQUAL_SHARE = 0.15  # of the difference to the camera that is nearest otherwise
_LEAST_CONTRAST = 5.0  # grey levels: below it all pictures are alike
_CELLS = 16  # of pictures that are compared: in each direction


def picture_findings(pictures: Pictures) -> list[Finding]:
    """All findings of this file."""
    black = [name for name, found in pictures.items() if np.percentile(found, 99) <= _BLACK]
    seen = {name: found for name, found in pictures.items() if name not in black}
    findings = [Finding("black", (name,), f"{name}: its pictures are black") for name in black]
    return findings + _still(seen) + _partly_black(seen) + _duplicates(seen)


def _still(pictures: Pictures) -> list[Finding]:
    """Cameras that repeat one picture while others change."""
    changes = {name: _changes(found) <= _STILL for name, found in pictures.items() if len(found) > 1}
    findings = []
    for name, still in changes.items():
        others = [~other for camera, other in changes.items() if camera != name]
        if not others:
            continue
        moving = np.mean(others, axis=0) >= _MOVING
        runs = _runs(still & moving, _LEAST_STILL - 1)
        if still.all() and moving.any():
            findings.append(Finding("frozen", (name,), f"{name}: all its pictures are the same"))
        elif runs:
            findings.append(
                Finding(
                    "repeats", (name,), f"{name}: repeats one picture {_listed(runs, 1)} while others change"
                )
            )
    return findings


def _partly_black(pictures: Pictures) -> list[Finding]:
    findings = []
    for name, found in pictures.items():
        runs = _runs(np.percentile(found, 99, axis=(1, 2)) <= _BLACK, 1)
        if runs:
            findings.append(Finding("hole", (name,), f"{name}: black {_listed(runs, 0)}"))
    return findings


def _duplicates(pictures: Pictures) -> list[Finding]:
    """Cameras with the pictures of another: far more alike than to any third one."""
    cells = {name: _cells(found) for name, found in pictures.items()}
    distance = {
        pair: float(np.abs(cells[pair[0]] - cells[pair[1]]).mean()) for pair in combinations(cells, 2)
    }
    same: dict[str, str] = {}
    for (first, second), value in distance.items():
        others = [
            found for pair, found in distance.items()
            if pair != (first, second) and {first, second} & set(pair)
        ]  # fmt: skip
        usual = min(others, default=np.inf)
        contrast = float(cells[first].std(axis=(1, 2)).mean())
        if contrast >= _LEAST_CONTRAST and value <= min(_EQUAL, _EQUAL_SHARE * usual):
            same.setdefault(second, first)
    return [
        Finding("duplicate", (name,), f"{name}: shows the same pictures as {first}")
        for name, first in same.items()
    ]


def _changes(pictures: UInt8[np.ndarray, "frame height width"]) -> Float[np.ndarray, " change"]:
    return np.array([np.abs(after.astype(np.int16) - before).mean() for before, after in pairwise(pictures)])


def _cells(pictures: UInt8[np.ndarray, "frame height width"]) -> Float[np.ndarray, "chosen row column"]:
    """A few pictures averaged to equal numbers of cells, whatever their size."""
    chosen = pictures[np.linspace(0, len(pictures) - 1, min(3, len(pictures))).astype(int)]
    rows = np.linspace(0, pictures.shape[1], min(_CELLS, pictures.shape[1]) + 1).astype(int)[:-1]
    columns = np.linspace(0, pictures.shape[2], min(_CELLS, pictures.shape[2]) + 1).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(chosen.astype(np.float64), rows, axis=1), columns, axis=2)
    ones = np.ones(pictures.shape[1:])
    return np.asarray(sums / np.add.reduceat(np.add.reduceat(ones, rows, axis=0), columns, axis=1))


def _runs(marked: Sequence[bool] | np.ndarray, least: int) -> list[tuple[int, int]]:
    """First and last index of every run of at least ``least`` marked ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(marked, np.int8), [0]])))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least]


def _listed(runs: Sequence[tuple[int, int]], beyond: int) -> str:
    """Runs as frames, the first three; a run of changes also covers the frame ``beyond`` its end."""
    shown = [f"in frames {first} to {last + beyond}" for first, last in runs[:3]]
    return ", ".join(shown) + (f" and {len(runs) - 3} more times" if len(runs) > 3 else "")
