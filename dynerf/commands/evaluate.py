"""Implements ``dynerf eval``."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf.arguments import values
from dynerf.arguments.command import Command
from dynerf.arguments.shared import add_clip, add_device, add_layout
from dynerf.console.progress import ProgressDisplay, print_result, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynerf_encoder.evaluation.evaluate import Evaluation


def run(options: argparse.Namespace) -> int:
    """Compare a clip with its capture and print the metrics."""
    import dynerf

    views = None if options.views is None else [name.strip() for name in options.views.split(",")]
    opened = dynerf.open(options.clip, device=options.device, layers=options.layers)
    with opened as clip, ProgressDisplay() as tasks:
        result = dynerf.evaluate(
            clip,
            options.capture,
            views=views,
            every=options.every,
            lpips_weights=options.lpips_weights,
            layout=options.layout,
            report=options.report,
            on_progress=tasks.show,
        )
        if options.report is not None:
            say(f"{options.report / 'index.html'}: written")
    print_result(json.dumps(_record(result)) if options.json else _table(result))
    return 0


def _record(result: "Evaluation") -> dict[str, object]:
    from dynerf_encoder.evaluation.evaluate import METRICS

    means = {name: result.mean(name) for name in METRICS}
    frames = [dataclasses.asdict(score) for score in result.frames]
    return {
        **means,
        "jod": result.jod,
        "missing": dict(result.missing),
        "views": list(result.views),
        "frames": frames,
    }


def _table(result: "Evaluation") -> str:
    from dynerf_encoder.evaluation.evaluate import METRICS

    lines = ["view       frame" + "".join(f"{head:>11}" for head, _ in METRICS.values())]
    lines += [
        f"{score.view:<10} {score.frame:>5}" + _cells([getattr(score, name) for name in METRICS])
        for score in result.frames
    ]
    lines.append(f"mean of {len(result.frames):<8}" + _cells([result.mean(name) for name in METRICS]))
    if result.jod is not None:
        lines.append(f"JOD (ColorVideoVDP) {result.jod:.3f}")
    lines += [f"no {name}: {reason}" for name, reason in result.missing.items()]
    return "\n".join(lines)


def _cells(values: "Sequence[float | None]") -> str:
    from dynerf_encoder.evaluation.evaluate import METRICS

    return "".join(
        f"{'-' if value is None else format(value, f'.{digits}f'):>11}"
        for value, (_, digits) in zip(values, METRICS.values(), strict=True)
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_clip(parser)
    parser.add_argument(
        "capture", type=values.local_path, metavar="CAPTURE", help="the folder it was encoded from"
    )
    parser.add_argument(
        "--views", metavar="A,B", help="cameras to compare (default: the held-out ones, or all if none is)"
    )
    parser.add_argument(
        "--every", type=values.positive, default=1, metavar="N", help="compare every N-th frame (default: 1)"
    )
    parser.add_argument(
        "--layers", type=values.positive, metavar="N",
        help="use only the first N quality layers ('dynerf info' lists them; default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--lpips-weights", type=Path, metavar="FILE",
        help="compute LPIPS with these weights, a safetensors file (docs/reference/metrics.md)",
    )  # fmt: skip
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write DIR/index.html, a single self-contained file"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    add_layout(parser)
    add_device(parser)


COMMAND = Command(
    name="eval",
    summary="measure a clip against its capture",
    description="""\
Decode frames of a clip and compare them with the capture it was encoded from,
on decoded RGB before any video coding: PSNR, SSIM, MSE, DSSIM, LPIPS, FLIP and
PSNR inside moving pixels per frame, their means, and JOD. SSIM: Gaussian
window of sigma 1.5, data range 1; DSSIM is (1 - SSIM) / 2. A pixel moves when
it differs from its temporal median by more than 0.04.

LPIPS needs a file of weights, FLIP the package flip-evaluator, JOD the package
cvvdp (ColorVideoVDP; the paper used FovVideoVDP). Each missing metric is
reported in one line. --every 10 is the paper's protocol.
""",
    examples="""\
examples:
  dynerf eval candle.dnv samples/candle
  dynerf eval candle.dnv samples/candle --views cam01,cam05 --every 10 --json
  dynerf eval candle.dnv samples/candle --lpips-weights alex.safetensors
  dynerf eval candle.dnv samples/candle --report out/report
""",
    add_arguments=_add_arguments,
    run=run,
    imports=("dynerf_decoder.clip.clip", "dynerf_encoder.evaluation.evaluate"),
)
