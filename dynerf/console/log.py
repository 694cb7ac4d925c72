"""Writes the JSON-lines log of an encode: one object per line, with ``event`` and seconds since the start."""

import contextlib
import json
import time
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO, cast

from dynerf_format.errors import OutputError
from dynerf_format.io.atomic_write import check_writable


class JsonLog:
    """Appends events to a file; ``fresh`` truncates it first.

    The file is created with the first event, so that a job refused at the start leaves no file. Raises
    OutputError if it cannot be created.
    """

    def __init__(self, path: Path, fresh: bool) -> None:
        if path.is_dir():
            raise OutputError(f"{path}: is a folder, expected a file for the log")
        if not path.exists():
            check_writable(path)
        self._file: TextIO | None = None
        self._mode = "w" if fresh else "a"
        self._path = path
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, event: str, **values: object) -> None:
        """Write one event. Raises OutputError if it cannot be written."""
        record = {"event": event, "seconds": round(time.monotonic() - self._started, 2), **values}
        try:
            if self._file is None:
                self._file = cast("TextIO", self._path.open(self._mode, encoding="utf-8"))
                self._mode = "a"
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
        except OSError as error:
            self._drop()
            raise OutputError(f"{self._path}: the log cannot be written: {error.strerror}") from error

    def _drop(self) -> None:
        """Close the file, discarding what could not be written: closing it later would fail again."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = None
