"""Progress of a clip of several segments, from the events of the processes that encode them."""

from collections.abc import Sequence

from .scheduler import Done, ProgressEvent, Running, WorkerLost
from .segments import PlannedSegment
from .watcher import Watcher

_PROGRESS_UNITS = 1000  # per segment


class ClipProgress:
    """Progress over all segments, and the totals of steps and seconds."""

    def __init__(
        self, segments: Sequence[PlannedSegment], missing: Sequence[PlannedSegment], watcher: Watcher
    ) -> None:
        self.steps, self.seconds = 0, 0.0
        self._segments = segments
        self._watcher = watcher
        self._warned: set[str] = set()
        self._positions = {segment.number: 1.0 for segment in segments}
        self._positions |= {segment.number: 0.0 for segment in missing}

    def update(self, event: ProgressEvent) -> None:
        """Process an event and report it."""
        shown = self._segments[event.number].shown
        name = f"segment {event.number}, frames {shown.start}:{shown.stop}"
        if isinstance(event, Running):
            self._positions[event.number] = min(event.position, 1.0)
            self._warn(name, event.warnings)
        elif isinstance(event, WorkerLost):
            self._positions[event.number] = 0.0
            self._watcher.message(f"{name}: {event.worker} was lost ({event.reason}); restarted")
        else:
            self._finish(name, event)
        done = sum(self._positions.values()) * _PROGRESS_UNITS
        self._watcher.progress("encoding segments", int(done), len(self._segments) * _PROGRESS_UNITS)

    def _warn(self, name: str, warnings: Sequence[str]) -> None:
        """Pass warnings on, but only the first of each kind from all segments."""
        for warning in warnings:
            subject = warning.split(":")[1]
            if subject not in self._warned:
                self._warned.add(subject)
                self._watcher.message(f"{warning} ({name})")

    def _finish(self, name: str, event: Done) -> None:
        result = event.result
        self._positions[event.number] = 1.0
        self.steps += result.steps
        self.seconds += result.training_seconds
        quality = "" if result.psnr is None else f"{result.psnr:.2f} dB, "
        where = f" ({event.worker})" if event.worker else ""
        self._watcher.message(
            f"{name}: {quality}{result.bytes / 1e6:.2f} MB, {result.steps} steps in "
            f"{result.training_seconds:.0f} s{where}"
        )
