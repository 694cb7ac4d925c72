"""Writes the report of a calibration: one offline HTML page without scripts.

The rig from two sides, a table of cameras, pairs as a matrix, scores of the synchronisation by lag, and two
pictures with epipolar lines of matched points.
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
from .outcome import Outcome
from .pairs.epipolar import essential
from .rig_drawing import draw_rig
from .stills import StillFiles

_LINES = 12  # of epipolar lines
_PICTURE = 480  # pixels of width
_COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080")
_MOST_LAGS = 40  # shown to either side
_CURVE = (120, 40)  # SVG units


@dataclass(frozen=True)
class _EpipolarPicture:
    """A picture (base64 PNG) with points and lines in its own pixels: colour and coordinates."""

    name: str
    png: str
    width: int
    height: int
    points: list[tuple[str, float, float]]
    lines: list[tuple[str, float, float, float, float]]


def write_report(outcome: Outcome, stills: Mapping[str, StillFiles]) -> Path:
    """Write the page beside the output; its path. Raises OutputError."""
    page = _template().render(**_contents(outcome, stills))
    path = outcome.report
    with atomic_path(path) as temporary:
        try:
            temporary.write_text(page, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {reason(error)}") from error
    return path


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    return environment.get_template("calibration_report.html.j2")


def _contents(outcome: Outcome, stills: Mapping[str, StillFiles]) -> dict[str, object]:
    doubtful = {name for name, quality in outcome.qualities.items() if quality.doubtful}
    names = outcome.solution.names
    return {
        "title": outcome.options.folder.absolute().name,
        "verdict": outcome.verdict,
        "agreement": outcome.rig.agreement,
        "frames": outcome.times,
        "drawings": draw_rig(outcome.solution, doubtful),
        "rows": [
            (name, outcome.qualities[name], outcome.solution.lenses[index], outcome.sync.offsets.get(name))
            for index, name in enumerate(names)
        ],
        "missing": outcome.missing,
        "dropped": outcome.footage.dropped,
        "matrix": _matrix(outcome),
        "names": names,
        "curves": [
            (name, _curve(outcome.sync.curves[name])) for name in names if name in outcome.sync.curves
        ],
        "curve_size": _CURVE,
        "pictures": _epipolar_pictures(outcome, stills),
    }


def _matrix(outcome: Outcome) -> list[list[tuple[int, float] | None]]:
    """Matches and the share that the poses explain, by row and column of cameras."""
    found = explained(outcome.solution, outcome.rig.matches)
    names = outcome.solution.names
    return [[_cell(found.get((one, two)) or found.get((two, one))) for two in names] for one in names]


def _cell(counts: tuple[int, int] | None) -> tuple[int, float] | None:
    return None if counts is None else (counts[1], counts[0] / max(counts[1], 1))


def _curve(scores: Float[np.ndarray, " lag"]) -> str:
    """Scores by lag as an SVG polyline, the offset in the middle."""
    middle = len(scores) // 2
    shown = scores[max(0, middle - _MOST_LAGS) : middle + _MOST_LAGS + 1]
    low, high = float(shown.min()), float(shown.max())
    heights = (high - shown) / max(high - low, 1e-9) * _CURVE[1]
    columns = np.linspace(0, _CURVE[0], len(shown))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(columns, heights, strict=True))


def _epipolar_pictures(outcome: Outcome, stills: Mapping[str, StillFiles]) -> list[_EpipolarPicture]:
    """The pair with the most explained matches, with points of one and their lines in the other."""
    counts = explained(outcome.solution, outcome.rig.matches)
    if not counts:
        return []
    pair = max(counts, key=lambda found: (counts[found][0], found))
    good = np.flatnonzero(explained_matches(outcome.solution, outcome.rig.matches, pair))
    chosen = good[np.linspace(0, len(good) - 1, min(_LINES, len(good))).astype(int)] if len(good) else good
    places = [found[chosen] for found in outcome.rig.matches.matched(pair)]
    found = []
    for this, other in ((0, 1), (1, 0)):
        lines = _lines(outcome.solution, (pair[other], pair[this]), places[other])
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
) -> _EpipolarPicture:
    grey = np.load(next(iter(files.stills.values())), allow_pickle=False)
    step = max(1, round(grey.shape[1] / _PICTURE))
    small = np.ascontiguousarray(np.repeat(grey[::step, ::step, None], 3, axis=2))
    colours = [_COLOURS[index % len(_COLOURS)] for index in range(len(places))]
    return _EpipolarPicture(
        name, base64.b64encode(png_bytes(small)).decode(),
        round(grey.shape[1] / files.scale), round(grey.shape[0] / files.scale),
        [(colour, *found) for colour, found in zip(colours, places.round(1).tolist(), strict=True)],
        [(colour, *line) for colour, line in zip(colours, lines, strict=True) if line is not None],
    )  # fmt: skip
