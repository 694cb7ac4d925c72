"""``dynerf eval``."""

import argparse
import json
from typing import TYPE_CHECKING

from ..device import choose_device
from ..display import Tasks, print_result

if TYPE_CHECKING:
    from dynerf_encoder.evaluate import Evaluation


def run(options: argparse.Namespace) -> int:
    """Compare a clip with its capture and print the figures."""
    import dynerf
    from dynerf_encoder.evaluate import evaluate

    views = None if options.views is None else options.views.split(",")
    with dynerf.open_clip(options.clip, choose_device(options.device)) as clip, Tasks() as tasks:
        result = evaluate(
            clip,
            options.capture,
            views=views,
            every=options.every,
            progress=lambda done, total: tasks.progress("comparing", done, total),
        )
    print_result(json.dumps(_record(result)) if options.json else _table(result))
    return 0


def _record(result: "Evaluation") -> dict[str, object]:
    frames = [
        {"view": score.view, "frame": score.frame, "psnr": score.psnr, "ssim": score.ssim}
        for score in result.frames
    ]
    return {"psnr": result.psnr, "ssim": result.ssim, "views": list(result.views), "frames": frames}


def _table(result: "Evaluation") -> str:
    lines = ["view       frame    PSNR dB    SSIM"]
    lines += [
        f"{score.view:<10} {score.frame:>5}    {score.psnr:>7.3f}    {_ssim(score.ssim)}"
        for score in result.frames
    ]
    lines.append(f"mean of {len(result.frames):<8}   {result.psnr:>7.3f}    {_ssim(result.ssim)}")
    return "\n".join(lines)


def _ssim(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
