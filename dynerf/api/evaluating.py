"""Measures a clip against its capture."""

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.progress import OnProgress, Progress
from dynerf_encoder.captures.reading import Reading
from dynerf_encoder.evaluation.evaluate import Evaluation
from dynerf_encoder.evaluation.evaluate import evaluate as compare
from dynerf_encoder.evaluation.html_report import HtmlReport

from . import opening


def evaluate(
    clip: Clip | str | os.PathLike[str],
    capture: str | os.PathLike[str],
    *,
    views: Sequence[str] | None = None,
    every: int = 1,
    lpips_weights: str | os.PathLike[str] | None = None,
    layout: str | None = None,
    report: str | os.PathLike[str] | None = None,
    device: str = "auto",
    layers: int | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Decode every ``every``-th frame of some views and compare it with the capture's videos.

    ``clip`` is an open clip, a path or an address; the last two are opened on ``device``, with the first
    ``layers`` quality layers (None: all). ``views`` are names of cameras, by default the held-out ones, or
    all if none was held out. ``lpips_weights`` is a safetensors file. ``layout`` is the capture's (default:
    found by its files). ``report`` is a folder in which ``index.html`` is written.

    The result has ``psnr`` (dB), ``ssim``, ``mean(metric)``, the scores of each frame in ``frames``, and in
    ``missing`` the reason for each metric that is None. Raises ViewError (unknown views), CaptureError (not
    the clip's capture), ConfigError (weights, ``every``), OutputError (the report), and what ``open`` raises.
    """
    opened = nullcontext(clip) if isinstance(clip, Clip) else opening.open(clip, device=device, layers=layers)
    with opened as known:
        page = None if report is None else HtmlReport(Path(report), known)
        result = compare(
            known,
            Path(capture),
            views=[views] if isinstance(views, str) else views,
            every=every,
            lpips_weights=None if lpips_weights is None else Path(lpips_weights),
            reading=Reading(layout),
            progress=None if on_progress is None else _reporting(on_progress),
            on_frame=None if page is None else page.add,
        )
        if page is not None:
            page.write(result)
    return result


def _reporting(on_progress: OnProgress) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        on_progress(Progress("comparing", done, total))

    return report
