"""Reads a capture of any layout."""

from pathlib import Path

from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.opening import open_capture
from dynerf_encoder.captures.reading import READ_AS_FOUND, Reading
from dynerf_format.frame_range import FrameRange

from .detect import read_recording


def read_capture(path: Path, frames: FrameRange | None = None, reading: Reading = READ_AS_FOUND) -> Capture:
    """The capture in a folder, or described by a file; see ``read_recording`` and ``open_capture``."""
    return open_capture(read_recording(path, reading.layout), frames, reading)
