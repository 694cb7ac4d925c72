"""Writes the report of a calibration: one offline HTML page without scripts.

The rig from two sides, a table of cameras, pairs as a matrix, scores of the synchronisation by lag, and two
pictures with epipolar lines of matched points.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from .outcome import Outcome
from .report_parts import epipolar_pictures, pair_matrix, write_page
from .rig_drawing import draw_rig
from .stills import StillFiles

_TEMPLATE = Path(__file__).with_name("calibration_report.html.j2")
_MOST_LAGS = 40  # shown to either side
_CURVE = (120, 40)  # SVG units


def write_report(outcome: Outcome, stills: Mapping[str, StillFiles]) -> Path:
    """Write the page beside the output; its path. Raises OutputError."""
    write_page(_TEMPLATE, _contents(outcome, stills), outcome.report)
    return outcome.report


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
        "matrix": pair_matrix(outcome.solution, outcome.rig.matches),
        "names": names,
        "curves": [
            (name, _curve(outcome.sync.curves[name])) for name in names if name in outcome.sync.curves
        ],
        "curve_size": _CURVE,
        "most_lags": _MOST_LAGS,
        "pictures": epipolar_pictures(outcome.solution, outcome.rig.matches, stills),
    }


def _curve(scores: Float[np.ndarray, " lag"]) -> str:
    """Scores by lag as an SVG polyline, the offset in the middle."""
    middle = len(scores) // 2
    shown = scores[max(0, middle - _MOST_LAGS) : middle + _MOST_LAGS + 1]
    low, high = float(shown.min()), float(shown.max())
    heights = (high - shown) / max(high - low, 1e-9) * _CURVE[1]
    columns = np.linspace(0, _CURVE[0], len(shown))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(columns, heights, strict=True))
