"""Converts the encoder's reports to ``Progress`` for the caller of ``dynerf.encode``."""

import time
from typing import TYPE_CHECKING

from dynerf_decoder.progress import OnProgress, Progress

if TYPE_CHECKING:
    from dynerf_encoder.training.trainer import StepReport

_SECONDS = 0.5  # least interval between two reports of one task; the first and last are always reported
_SMOOTHING = 0.95  # of the running mean of the training PSNR, which varies from batch to batch


class ProgressWatcher:
    """Implements the encoder's ``Watcher``."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._reported: dict[str, float] = {}
        self._metrics: dict[str, int | float] = {}

    def message(self, text: str) -> None:
        """Report a message."""
        self._on_progress(Progress("message", 0, 0, text))

    def progress(self, what: str, done: int, total: int) -> None:
        """Report progress of work of known length."""
        if self._is_due(what, done >= total):
            self._on_progress(Progress(what, done, total))

    def trained(self, report: "StepReport") -> None:
        """Report a training step."""
        progress = report.progress
        before = self._metrics.get("psnr", report.psnr)
        self._metrics |= {
            "step": progress.step,
            "seconds": progress.seconds,
            "loss": report.loss,
            "psnr": _SMOOTHING * before + (1 - _SMOOTHING) * report.psnr,
            "rays_per_second": progress.step * report.rays / max(progress.seconds, 1e-3),
        }
        if self._is_due("training", progress.position >= 1):
            self._report_training(report)

    def validated(self, report: "StepReport", held_out_psnr: float) -> None:
        """Report the PSNR of held-out frames, in dB."""
        self._metrics["held_out_psnr"] = held_out_psnr
        self._report_training(report)

    def _report_training(self, report: "StepReport") -> None:
        metrics = dict(self._metrics)
        held_out = metrics.get("held_out_psnr")
        detail = f"{report.stage}, train {metrics['psnr']:.2f} dB"
        if held_out is not None:
            detail += f", held-out {held_out:.2f} dB"
        self._on_progress(Progress("training", min(report.progress.position, 1.0), 1.0, detail, metrics))

    def _is_due(self, task: str, last: bool) -> bool:
        now = time.monotonic()
        if not last and now - self._reported.get(task, -_SECONDS) < _SECONDS:
            return False
        self._reported[task] = now
        return True
