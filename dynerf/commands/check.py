"""Implements ``dynerf check``."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynerf.arguments import values
from dynerf.arguments.command import Command
from dynerf.arguments.shared import add_layout
from dynerf.console.progress import ProgressDisplay, print_result, say

if TYPE_CHECKING:
    from dynerf_encoder.checking.result import CheckResult

_NOT_USABLE = 2


def run(options: argparse.Namespace) -> int:
    """Check a capture, and print a table of the cameras, the findings and the verdict."""
    from dynerf_encoder.captures.reading import Reading
    from dynerf_encoder.checking.check import CheckOptions, check
    from dynerf_format.frame_range import FrameRange

    chosen = CheckOptions(
        options.capture, Reading(layout=options.layout), FrameRange.parse(options.frames),
        options.threads or 0, options.report,
    )  # fmt: skip
    with ProgressDisplay() as tasks:
        result = check(chosen, tasks.progress)
    print_result(json.dumps(_record(result)) if options.json else _text(result))
    if options.report is not None:
        say(f"{options.report}: written")
    return _NOT_USABLE if result.verdict.grade == "not usable" else 0


def _text(result: "CheckResult") -> str:
    from dynerf_encoder.checking.camera_metrics import camera_metrics

    columns = ("points", "explained", "residual px", "predicted px", "late", "sharp", "bright")
    lines = [_row("camera", columns)]
    lines += [_row(name, camera_metrics(result, name).shown) for name in result.names]
    lines += [f"{finding.severity}: {finding.message}" for finding in result.findings]
    lines += [f"not checked: {what}" for what in result.skipped]
    return "\n".join([*lines, str(result.verdict)])


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<12}" + "".join(f"{cell:>13}" for cell in cells)


def _record(result: "CheckResult") -> dict[str, Any]:
    from dynerf_encoder.checking.camera_metrics import camera_metrics

    pairs = () if result.points is None else result.points.pairs
    return {
        "capture": str(result.capture),
        "layout": result.layout,
        "verdict": result.verdict.grade,
        "reasons": list(result.verdict.reasons),
        "frames": [result.frames.start, result.frames.stop],
        "findings": [
            {
                "kind": finding.kind, "severity": finding.severity, "cameras": list(finding.cameras),
                "message": finding.message,
            }
            for finding in result.findings
        ],
        "cameras": {name: asdict(camera_metrics(result, name)) for name in result.names},
        "pairs": [
            {
                "cameras": [pair.first, pair.second], "points": pair.matches,
                "residual_px": round(pair.median, 4), "explained": round(pair.inliers, 4),
            }
            for pair in pairs
        ],
        "not_checked": list(result.skipped),
    }  # fmt: skip


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "capture", type=values.local_path, metavar="CAPTURE",
        help="a folder of videos and poses in any layout, or the file that describes it",
    )  # fmt: skip
    add_layout(parser)
    parser.add_argument(
        "--frames", default=":", metavar="A:B", help="look at frames A to B-1 (default: the first 90)"
    )
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="also write a page with pictures")
    parser.add_argument(
        "--threads", type=values.threads, metavar="N", help="processes at once (default: all cores)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


COMMAND = Command(
    name="check",
    summary="find what is wrong with a capture, without training",
    description="""\
Compare a capture's pictures with its poses: matched points of pairs of cameras
against epipolar lines, motion in time, and the pictures by themselves. Names
cameras with a wrong pose or lens, cameras that are out of step, mirrored,
black, frozen, blurred, brighter or darker, or duplicates of another, and the
convention that the poses are really in. Nothing is changed.

Prints a table of the cameras, the findings, and a verdict: good, usable, or
not usable, with the reasons. Exit status 2 when the capture is not usable.

Matched points need pycolmap: pip install 'dynerf[calibrate]'. Without it only
the tests of single pictures and of motion run; the rest is listed as not
checked.
""",
    examples="""\
examples:
  dynerf check samples/candle
  dynerf check recording --report recording.html
  dynerf check recording --json
""",
    add_arguments=_add_arguments,
    run=run,
    imports=("dynerf_encoder.checking.check",),
)
