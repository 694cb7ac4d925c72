"""Progress of ``dynerf.encode``: smoothed, rate-limited, and always with the first and the last report."""

from typing import TYPE_CHECKING

import pytest

from dynerf.api.progress_watcher import ProgressWatcher
from dynerf.console.progress import say
from dynerf_encoder.training.trainer import StepReport, TrainingProgress

if TYPE_CHECKING:
    import dynerf


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A fake monotonic clock; its only element is the time."""
    now = [100.0]
    monkeypatch.setattr("dynerf.api.progress_watcher.time.monotonic", lambda: now[0])
    return now


def _report(step: int, psnr: float = 20.0) -> StepReport:
    return StepReport(TrainingProgress(step, step / 10, 2.0 * step), "isg", 0.5, psnr, 64)


def test_reports_of_a_task_are_half_a_second_apart_except_the_first_and_last(clock: list[float]) -> None:
    reports: list[dynerf.Progress] = []
    watcher = ProgressWatcher(reports.append)
    for done, now in ((1, 100.0), (2, 100.4), (3, 100.6), (4, 100.7)):
        clock[0] = now
        watcher.progress("decoding videos", done, 4)
        watcher.progress("importance maps", done, 9)  # limited per task
    assert [report.done for report in reports if report.task == "decoding videos"] == [1, 3, 4]
    assert [report.done for report in reports if report.task == "importance maps"] == [1, 3]


def test_training_is_reported_as_metrics_and_text(clock: list[float]) -> None:
    reports: list[dynerf.Progress] = []
    watcher = ProgressWatcher(reports.append)
    watcher.trained(_report(1, psnr=20.0))
    watcher.trained(_report(2, psnr=30.0))  # too soon, but it counts for the mean
    watcher.validated(_report(2), 25.0)
    clock[0] += 1
    watcher.trained(_report(10, psnr=20.5))
    watcher.message("hello")
    first, held_out, last, message = reports
    assert first.metrics == {"step": 1, "seconds": 2.0, "loss": 0.5, "psnr": 20.0, "rays_per_second": 32}
    assert held_out.metrics["held_out_psnr"] == 25.0
    assert held_out.metrics["psnr"] == pytest.approx(0.95 * 20 + 0.05 * 30)
    assert (last.done, last.total, last.metrics["step"]) == (1.0, 1.0, 10)
    assert str(last) == "training: 100 %, isg, train 20.50 dB, held-out 25.00 dB"
    assert (message.total, str(message)) == (0, "message: hello")


def test_a_terminal_does_not_obey_names_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    say("cam\x1b[2J\n.mp4, é 撮")
    assert capsys.readouterr().err == "dynerf: cam\\x1b[2J\\n.mp4, é 撮\n"
