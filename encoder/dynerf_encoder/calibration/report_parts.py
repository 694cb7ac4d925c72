"""Parts that reports share: the table of pairs, pictures with epipolar lines, and writing the page.

Pages are single HTML files without scripts; ``report_parts.html.j2`` holds the macros that draw the parts.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from jaxtyping import Float

from dynerf_decoder.video.frame_writer import png_bytes
from dynerf_format.errors import OutputError, reason
from dynerf_format.io.atomic_write import atomic_path

from .agreement import explained, explained_matches
from .colmap.problem import Solution
from .pairs.epipolar import essential
from .pairs.votes import PooledMatches
from .stills import StillFiles

_LINES = 12  # of epipolar lines
_PICTURE = 480  # pixels of width
_COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080")

Cell = tuple[int, float] | None
"""The number of a pair's matches and the share that the poses explain; None without matches."""


@dataclass(frozen=True)
class EpipolarPicture:
    """A picture (base64 PNG) with points and lines in its own pixels: colour and coordinates."""

    name: str
    png: str
    width: int
    height: int
    points: list[tuple[str, float, float]]
    lines: list[tuple[str, float, float, float, float]]


def write_page(template: Path, contents: Mapping[str, object], path: Path) -> None:
    """Render a template, which may import those of this folder, and write it. Raises OutputError."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]), autoescape=True,
        trim_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    page = environment.get_template(template.name).render(**contents)
    with atomic_path(path) as temporary:
        try:
            temporary.write_text(page, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {reason(error)}") from error


def pair_matrix(solution: Solution, matches: PooledMatches) -> list[list[Cell]]:
    """All pairs by row and column of cameras."""
    found = explained(solution, matches)
    names = solution.names
    return [[_cell(found.get((one, two)) or found.get((two, one))) for two in names] for one in names]


def _cell(counts: tuple[int, int] | None) -> Cell:
    return None if counts is None else (counts[1], counts[0] / max(counts[1], 1))


def epipolar_pictures(
    solution: Solution, matches: PooledMatches, stills: Mapping[str, StillFiles], camera: str | None = None
) -> list[EpipolarPicture]:
    """Both pictures of a pair, with points of one and their lines in the other.

    It is the pair with the most explained matches, of which those are drawn; with ``camera``, that camera's
    pair with the most matches, explained or not.
    """
    counts = explained(solution, matches)
    pairs = [pair for pair in counts if camera is None or camera in pair]
    if not pairs:
        return []
    pair = max(pairs, key=lambda found: (counts[found][0 if camera is None else 1], found))
    good = np.arange(counts[pair][1])
    if camera is None:
        good = np.flatnonzero(explained_matches(solution, matches, pair))
    chosen = good[np.linspace(0, len(good) - 1, min(_LINES, len(good))).astype(int)] if len(good) else good
    places = [found[chosen] for found in matches.matched(pair)]
    found = []
    for this, other in ((0, 1), (1, 0)):
        lines = _lines(solution, (pair[other], pair[this]), places[other])
        found.append(_picture(pair[this], stills[pair[this]], places[this], lines))
    return found


def _lines(
    solution: Solution, pair: tuple[str, str], places: Float[np.ndarray, "n 2"]
) -> list[tuple[float, float, float, float] | None]:
    """Where points of the first camera lie in the second's picture: straight lines through its width.

    Lines of a distorted picture are drawn as for its pinhole camera.
    """
    first, second = (solution.names.index(name) for name in pair)
    rays = solution.lenses[first].directions(places)
    lines = rays @ essential(solution.poses[first], solution.poses[second]).T
    lens = solution.lenses[second]
    found: list[tuple[float, float, float, float] | None] = []
    for a, b, c in lines:
        left, right = ((x - lens.centre_x) / lens.focal_x for x in (0.0, float(lens.width)))
        if abs(b) < 1e-9:
            found.append(None)
            continue
        ends = [lens.centre_y - lens.focal_y * (a * x + c) / b for x in (left, right)]
        found.append((0.0, float(ends[0]), float(lens.width), float(ends[1])))
    return found


def _picture(
    name: str,
    files: StillFiles,
    places: Float[np.ndarray, "n 2"],
    lines: Sequence[tuple[float, float, float, float] | None],
) -> EpipolarPicture:
    grey = np.load(next(iter(files.stills.values())), allow_pickle=False)
    step = max(1, round(grey.shape[1] / _PICTURE))
    small = np.ascontiguousarray(np.repeat(grey[::step, ::step, None], 3, axis=2))
    colours = [_COLOURS[index % len(_COLOURS)] for index in range(len(places))]
    return EpipolarPicture(
        name, base64.b64encode(png_bytes(small)).decode(),
        round(grey.shape[1] / files.scale), round(grey.shape[0] / files.scale),
        [(colour, *found) for colour, found in zip(colours, places.round(1).tolist(), strict=True)],
        [(colour, *line) for colour, line in zip(colours, lines, strict=True) if line is not None],
    )  # fmt: skip
