"""Trains a segment: the loop over steps with validation, a check of the poses, checkpoints and interruption.

Ctrl-C finishes the step, saves a checkpoint and is raised again. Only the leader of several processes
validates, reports and writes; all of them take part in the training.
"""

import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from dynerf_encoder.step.distributed import ProcessGroup
from dynerf_encoder.training.checkpoint import Checkpoint, save_checkpoint
from dynerf_encoder.training.pose_check import PoseCheck
from dynerf_encoder.training.trainer import StepReport, Trainer
from dynerf_encoder.training.validation import HeldOutValidator

from .clip_file import ClipFile
from .interrupt import deferred_interrupt
from .job import Job, checkpoint_path, started_marker
from .watcher import WARNING_PREFIX, Watcher

_CHECKPOINT_SECONDS = 30.0  # at least, between two checkpoints
_CHECKPOINT_RATE = 4e6  # bytes per second, at most: those of large models have hundreds of megabytes
_VALIDATIONS, _VALIDATION_FRAMES = 10, 1  # per training, and frames in each
_COMPILING = "compiling kernels, which are kept for the next run; this is not counted as training time"


@dataclass(frozen=True)
class TrainingRun:
    """One segment's training. ``identity`` is what must be equal for a checkpoint to be resumed."""

    job: Job
    trainer: Trainer
    identity: dict[str, object]
    validator: HeldOutValidator
    pose_check: PoseCheck
    clip: ClipFile
    watcher: Watcher
    group: ProcessGroup

    def run(self) -> None:
        """Train to the end. Raises KeyboardInterrupt after a checkpoint."""
        due_at = time.monotonic() + _CHECKPOINT_SECONDS
        if self.trainer.progress.step == 0 and self.group.leads:  # from here on --resume can identify the job
            due_at = self._save()
        if self.group.leads:
            started_marker(self.job).unlink(missing_ok=True)
        validated = self._validations_due(self.trainer.progress.position)
        compiling = partial(self.watcher.message, _COMPILING)
        with deferred_interrupt() as interrupted, closing(self.trainer.run(compiling)) as reports:
            for report in reports:
                self._report(report)
                if (due := self._validations_due(report.progress.position)) > validated:
                    validated = due
                    self._validate(report)
                    self._calibrate(report.progress.position)
                stop = self.group.any(interrupted(), self.job.device)
                if self.group.leads and (stop or self.trainer.finished or time.monotonic() > due_at):
                    due_at = self._save()
                if stop:
                    raise KeyboardInterrupt

    def _validations_due(self, position: float) -> int:
        return int(position * _VALIDATIONS)

    def _report(self, report: StepReport) -> None:
        """Pass on a step's metrics, and in the leader a warning of the poses."""
        self.watcher.trained(report)
        if not self.group.leads:
            return
        if warning := self.pose_check.warning(report.progress, self.trainer.model, self.trainer.latents):
            self.watcher.message(WARNING_PREFIX + warning)

    def _validate(self, report: StepReport) -> None:
        """Report the held-out PSNR, with the model as the file would hold it, to the leader's watcher."""
        if not self.group.leads:
            return
        trainer = self.trainer
        with trainer.rate.stored_form(trainer.model, trainer.latents, report.progress.position):
            score = self.validator.sampled_psnr(trainer.model, trainer.latents, _VALIDATION_FRAMES)
        if score is not None:
            self.watcher.validated(report, score)

    def _calibrate(self, position: float) -> None:
        """With a target size, correct the estimate by a packed file's size, the same in every process."""
        rate = self.trainer.rate
        if self.job.config.rate.target > 0 and rate.active(position):
            rate.calibrate(self.clip.size_at(rate.quantisation))

    def _save(self) -> float:
        """Save a checkpoint; returns when the next one is due (``time.monotonic``)."""
        path = checkpoint_path(self.job)
        save_checkpoint(path, Checkpoint(self.identity, *self.trainer.export()))
        return time.monotonic() + max(_CHECKPOINT_SECONDS, path.stat().st_size / _CHECKPOINT_RATE)
