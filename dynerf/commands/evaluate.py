"""Implements ``dynerf eval``."""

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

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
