"""The folder ``segments`` of a work folder: the identity of the job, and a file per finished segment."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from dynerf_encoder.training.checkpoint import check_same_job
from dynerf_format import FileSource, Reader, atomic_path
from dynerf_format.errors import FormatError, OutputError, ResumeError

from .segments import PlannedSegment

_MAX_PLAN_BYTES = 2**24


@dataclass(frozen=True)
class SegmentFolder:
    """``plan.json`` and ``00003.dnv`` for segment 3, beside the work folders of segments in progress."""

    path: Path

    def prepare(self, identity: dict[str, object], resume: bool) -> None:
        """Create the folder; keep its contents only to resume the same job, else raise ResumeError."""
        plan = self.path / "plan.json"
        try:
            if resume and plan.exists():
                check_same_job(plan, _read_plan(plan), json.loads(json.dumps(identity)))
                return
            if self.path.exists():
                shutil.rmtree(self.path)
            self.path.mkdir(parents=True)
            with atomic_path(plan) as temporary:
                temporary.write_text(json.dumps(identity), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be used for the segments: {error.strerror}") from error

    def file(self, number: int) -> Path:
        """The file of a finished segment."""
        return self.path / f"{number:05}.dnv"

    def work_folder(self, number: int) -> Path:
        """The work folder of a segment in progress."""
        return self.path / f"{number:05}.work"

    def is_finished(self, segment: PlannedSegment) -> bool:
        """Whether a segment's file exists and is valid; a damaged one is encoded again."""
        path = self.file(segment.number)
        if not path.exists():
            return False
        try:
            with FileSource(path) as source:
                reader = Reader(source)
                reader.verify()
                header = reader.header
        except FormatError:
            return False
        return (header.first_source_frame, header.frames) == (segment.shown.start, len(segment.shown))

    def remove(self) -> None:
        """Remove the folder with its contents, after the clip has been written."""
        shutil.rmtree(self.path, ignore_errors=True)


def _read_plan(plan: Path) -> dict[str, object]:
    try:
        if plan.stat().st_size > _MAX_PLAN_BYTES:
            raise ValueError(f"{plan.stat().st_size} bytes")
        found = json.loads(plan.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ResumeError(f"{plan}: is damaged ({error}); encode again without --resume") from error
    if not isinstance(found, dict):
        raise ResumeError(f"{plan}: is damaged; encode again without --resume")
    return found
