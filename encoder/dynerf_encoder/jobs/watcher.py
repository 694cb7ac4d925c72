"""The interface by which an encode reports messages and progress; nothing in this package prints."""

from typing import Protocol, runtime_checkable

from dynerf_encoder.training.trainer import StepReport

WARNING_PREFIX = "warning: "
"""Messages with this prefix reach the user from all segments, wherever they are encoded."""


@runtime_checkable
class Watcher(Protocol):
    """Receives messages and progress."""

    def message(self, text: str) -> None:
        """A message for the user, one line."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Progress of work of known length."""

    def trained(self, report: StepReport) -> None:
        """A training step was completed."""

    def validated(self, report: StepReport, held_out_psnr: float) -> None:
        """Some held-out pictures were rendered during training, mean PSNR in dB."""


class NullWatcher:
    """A watcher that ignores everything."""

    def message(self, text: str) -> None:
        """Ignored."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Ignored."""

    def trained(self, report: StepReport) -> None:
        """Ignored."""

    def validated(self, report: StepReport, held_out_psnr: float) -> None:
        """Ignored."""
