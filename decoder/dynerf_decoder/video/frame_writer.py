"""Writes rendered pictures to an H.264 video (``.mp4``) or to numbered pictures (``name_%04d.png``).

Both take RGB pictures, uint8, height x width x 3, full range, one per frame in order, inside a ``with``
block. The result appears when the block ends without an error and the number of pictures is as announced;
otherwise nothing appears and older files of the same name are unchanged.

H.264 in 4:2:0 needs even sizes: an odd picture is extended by repeating its last column or row, so the video
is one pixel larger. 4:2:0 and quantisation cost quality: measure quality on pictures, not on the video.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol, runtime_checkable

import av
import numpy as np
from av import CodecContext, VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8

from dynerf_decoder.sound.audio_stream import AudioStreamWriter
from dynerf_decoder.sound.sound_track import SoundTrack
from dynerf_format import SAMPLE_RATE
from dynerf_format.errors import ConfigError, OutputError, ViewError
from dynerf_format.io.atomic_write import atomic_path, check_writable

from .colour import RgbToFrame, is_tagged_bt709, tag_bt709
from .h264 import X264_VIDEO, Codec

_MAX_SIDE = 16384  # pixels, the limit of x264
_MIN_FPS, _MAX_FPS = Fraction(1, 3600), 1000
_MAX_FPS_TERM = 2**31 - 1  # FFmpeg counts time in fractions of signed 32-bit numbers
_FRAME_NUMBER = re.compile(r"%(?:0[1-9])?d")


@runtime_checkable
class FrameWriter(Protocol):
    """The writer that ``open_output`` passes to the ``with`` block."""

    def write(self, rgb: UInt8[np.ndarray, "height width 3"]) -> None:
        """Append a picture. Raises OutputError when it cannot be written, ValueError on another shape."""


def open_output(
    path: Path,
    width: int,
    height: int,
    fps: Fraction,
    frames: int,
    codec: Codec = X264_VIDEO,
    sound: SoundTrack | None = None,
    audio_codec: str = "aac",
) -> contextlib.AbstractContextManager[FrameWriter]:
    """A context manager that writes ``frames`` pictures to ``path``; the suffix determines the format.

    ``codec`` encodes a video; see ``h264.video_codec``. A video gets ``sound``, which lasts as long as its
    pictures, coded with ``audio_codec`` (aac or opus).

    Errors are raised before any rendering where possible: ConfigError (suffix or number pattern), ViewError
    (picture size, count, a video's frame rate), OutputError (the folder). The end of the block raises
    OutputError when pictures are missing or the result does not read back as written.
    """
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise ViewError(f"{path}: pictures of {width}x{height}, expected sides of 1 to {_MAX_SIDE} pixels")
    if frames < 1:
        raise ViewError(f"{path}: {frames} frames, expected at least one")
    suffix = path.suffix.lower()
    if suffix == ".mp4":
        check_rate(path, fps)
        check_writable(path)
        video = partial(VideoWriter, path, shape=(height, width, 3), fps=fps, frames=frames, codec=codec)
        return _video(path, partial(video, sound=sound, audio_codec=audio_codec))
    if suffix == ".png":
        check_writable(_image_path(path, 0))
        return _images(path, (height, width, 3), frames)
    raise ConfigError(f"{path}: ends in {suffix or 'no suffix'}, supported are .mp4 and name_%04d.png")


def check_rate(path: Path, fps: Fraction) -> None:
    if not _MIN_FPS <= fps <= _MAX_FPS or max(fps.numerator, fps.denominator) > _MAX_FPS_TERM:
        raise ViewError(
            f"{path}: {fps} frames per second, expected {_MIN_FPS} to {_MAX_FPS}, as a fraction of "
            f"numbers up to {_MAX_FPS_TERM}"
        )


@contextlib.contextmanager
def _video(path: Path, writer: Callable[..., "VideoWriter"]) -> Iterator[FrameWriter]:
    with atomic_path(path) as temporary:
        video = writer(temporary=temporary)
        try:
            yield video
            video.finish()
        finally:
            video.close()
        video.verify()


class VideoWriter:
    """H.264 in MP4, tagged as BT.709, index in front; frame i is shown from i / fps to (i + 1) / fps s.

    Messages name ``path``; ``temporary`` is the file written. Call ``finish``, ``close``, ``verify``.
    """

    def __init__(
        self,
        path: Path,
        temporary: Path,
        shape: tuple[int, int, int],
        fps: Fraction,
        frames: int,
        codec: Codec = X264_VIDEO,
        sound: SoundTrack | None = None,
        audio_codec: str = "aac",
    ) -> None:
        self._path = path
        self._shape = shape
        self._fps = fps
        self._frames = frames
        self._written = 0
        self._coded = (shape[1] + shape[1] % 2, shape[0] + shape[0] % 2)
        self._address = str(temporary.absolute())
        self._to_frame = RgbToFrame()
        with _output_errors(path):
            self._container = av.open(
                self._address,
                "w",
                format="mp4",
                options={"movflags": "+faststart", "movie_timescale": str(fps.numerator)},
            )
            stream = self._container.add_stream(codec.name, rate=fps, options=dict(codec.options))
            assert isinstance(stream, VideoStream)
            self._stream = stream
            self._audio = None if sound is None else AudioStreamWriter(self._container, sound, audio_codec)
        self._sound = sound
        self._stream.width, self._stream.height = self._coded
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = 1 / fps
        tag_bt709(self._stream.codec_context)

    def write(self, rgb: UInt8[np.ndarray, "height width 3"]) -> None:
        """Append a picture; see ``FrameWriter.write``."""
        _check_image(self._path, rgb, self._shape, self._written, self._frames)
        height, width, _ = self._shape
        if (width, height) != self._coded:
            rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = self._to_frame(rgb)
        frame.pts = self._written
        frame.time_base = 1 / self._fps
        with _output_errors(self._path):
            self._container.mux(self._stream.encode(frame))
            if self._audio is not None:
                self._audio.write_until((self._written + 1) / self._fps)
        self._written += 1

    def finish(self) -> None:
        """Write the encoder's remaining packets and the index. Raises OutputError."""
        _check_count(self._path, self._written, self._frames)
        with _output_errors(self._path):
            self._container.mux(self._stream.encode(None))
            if self._audio is not None:
                self._audio.finish()
            self._container.close()

    def close(self) -> None:
        """Close the file in any state; harmless after ``finish``."""
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self._container.close()

    def verify(self) -> None:
        """Read every frame of the finished file back: a full disk is not always reported while writing."""
        with _output_errors(self._path), av.open(self._address) as video:
            stream = video.streams.video[0]
            codec = stream.codec_context
            properties = {
                "size": (codec.width, codec.height),
                "seconds": _seconds(stream.duration, stream.time_base),
                "BT.709 tags": is_tagged_bt709(codec),
            }
            times = [_seconds(frame.pts, frame.time_base) for frame in video.decode(stream)]
            lengths = [_seconds(track.duration, track.time_base) for track in video.streams.audio]
        expected = {"size": self._coded, "seconds": self._frames / self._fps, "BT.709 tags": True}
        if properties != expected or times != [index / self._fps for index in range(self._frames)]:
            raise OutputError(
                f"{self._path}: reads back as {len(times)} frames with {properties}, "
                f"expected {self._frames} evenly spaced frames with {expected}"
            )
        length = self._frames / self._fps
        wrong = [seconds for seconds in lengths if not seconds or abs(seconds - length) * SAMPLE_RATE >= 1]
        if wrong or len(lengths) != (self._sound is not None):
            raise OutputError(f"{self._path}: reads back with sound of {lengths} s, expected {length} s")


@contextlib.contextmanager
def _images(path: Path, shape: tuple[int, int, int], frames: int) -> Iterator[FrameWriter]:
    finished: list[Path] = []
    try:
        # Pictures keep temporary names until the end; unwinding the stack renames or removes them.
        with contextlib.ExitStack() as pending:
            writer = ImageWriter(path, shape, frames, pending, finished)
            yield writer
            writer.finish()
    except BaseException:
        for image in finished:
            with contextlib.suppress(OSError):
                image.unlink()
        raise


class ImageWriter:
    """PNG files numbered from 0; ``pending`` holds a temporary file per picture, ``finished`` the results."""

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int],
        frames: int,
        pending: contextlib.ExitStack,
        finished: list[Path],
    ) -> None:
        self._path = path
        self._shape = shape
        self._frames = frames
        self._written = 0
        self._pending = pending
        self._finished = finished

    def write(self, rgb: UInt8[np.ndarray, "height width 3"]) -> None:
        """Append a picture; see ``FrameWriter.write``."""
        _check_image(self._path, rgb, self._shape, self._written, self._frames)
        final = _image_path(self._path, self._written)

        def record(
            kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
        ) -> None:
            if kind is None:
                self._finished.append(final)

        self._pending.push(record)  # runs after the renaming that is pushed next
        temporary = self._pending.enter_context(atomic_path(final))
        with _output_errors(final):
            temporary.write_bytes(png_bytes(rgb))
        self._written += 1

    def finish(self) -> None:
        """Check the number of pictures. Raises OutputError."""
        _check_count(self._path, self._written, self._frames)


def png_bytes(rgb: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """A picture as a PNG file."""
    codec = CodecContext.create("png", "w")
    codec.height, codec.width = rgb.shape[:2]
    codec.pix_fmt = "rgb24"
    codec.time_base = Fraction(1)
    codec.thread_count = 1
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])


def _image_path(pattern: Path, index: int) -> Path:
    """The name of picture ``index``. Raises ConfigError unless the name holds exactly one %d or %0Nd."""
    numbers = _FRAME_NUMBER.findall(pattern.name)
    if len(numbers) != 1 or pattern.name.count("%") != 1:
        raise ConfigError(f"{pattern}: expected exactly one frame number in the name, like name_%04d.png")
    return pattern.with_name(pattern.name % index)


def _check_image(
    path: Path, rgb: UInt8[np.ndarray, "..."], shape: tuple[int, int, int], written: int, frames: int
) -> None:
    if rgb.shape != shape or rgb.dtype != np.uint8:
        raise ValueError(f"{path}: picture {written} is {rgb.dtype} {rgb.shape}, expected uint8 {shape}")
    if written == frames:
        raise ValueError(f"{path}: picture {written}, expected only {frames}")


def _check_count(path: Path, written: int, frames: int) -> None:
    if written != frames:
        raise OutputError(f"{path}: got {written} of {frames} pictures, so nothing was written")


def _seconds(ticks: int | None, unit: Fraction | None) -> Fraction | None:
    return None if ticks is None or unit is None else ticks * unit


@contextlib.contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
