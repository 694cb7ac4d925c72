"""Encodes a capture: ``encode`` is the public function and shares ``run_encode`` with the command."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import torch

from dynerf.console.device import choose_device
from dynerf_decoder.progress import OnProgress
from dynerf_encoder.captures.scene_bounds import Choice
from dynerf_encoder.config.presets import PresetName
from dynerf_encoder.config.schema import FieldKind
from dynerf_encoder.jobs import encode as encoder
from dynerf_encoder.jobs.job import EncodeResult
from dynerf_encoder.jobs.watcher import NullWatcher, Watcher
from dynerf_format.errors import ConfigError

from .encode_options import EncodeOptions
from .progress_watcher import ProgressWatcher
from .quantities import parse_size


def run_encode(options: EncodeOptions, watcher: Watcher) -> EncodeResult:
    """Encode, holding the lock of the work folder. Raises DynerfError for what the user can correct."""
    device, threads = choose_device(options.device), options.thread_count()
    with cpu_threads(threads if device == "cpu" else None):
        job = options.job()
        return encoder.encode(job, watcher, options.segmentation(), options.runner(device), threads)


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Set torch's number of threads within the block; None leaves it unchanged."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def encode(
    capture: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    preset: PresetName | None = None,
    field: FieldKind | None = None,
    quality: int | None = None,
    target_size: int | str | None = None,
    config: str | os.PathLike[str] | None = None,
    settings: Sequence[str] = (),
    device: str = "auto",
    frames: str = ":",
    hold_out: Sequence[str] | None = None,
    downscale: int = 1,
    layout: str | None = None,
    depths: tuple[float, float] | None = None,
    fps: Fraction | float | None = None,
    audio: str | os.PathLike[str] = "auto",
    audio_bitrate: int | None = None,
    space: Choice = "auto",
    seed: int = 0,
    time_limit: float | None = None,
    segment: str = "300f",
    overlap: int | None = None,
    warm_start: float | None = None,
    key_segment: int = 6,
    workers: int = 1,
    cluster: str | None = None,
    send_capture: bool = False,
    threads: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    save_importance: str | os.PathLike[str] | None = None,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> EncodeResult:
    """Train on a capture and write a .dnv file, with the options of the command ``dynerf encode``.

    - ``preset``: preview, fast or paper (default: fast with CUDA, else preview); ``field``: planes or mlp.
    - ``quality`` 1 to 10, or ``target_size`` in bytes or as ``"2MB"``, met within 5 %.
    - ``config`` (a TOML file), then ``settings`` (strings such as ``"schedule.scale=0.5"``) change single
      settings.
    - ``device``: auto, cpu, cuda or cuda:N; ``threads``: CPU threads (default: all cores).
    - ``frames``: ``"A:B"``, A included, B excluded; ``downscale``: averages N x N pixels.
    - ``hold_out``: names of validation cameras (default: cam00 if it exists; ``()`` trains on all).
    - ``layout``: the capture's layout (default: found by its files); ``depths``: near and far in the unit of
      the poses (default: the capture's); ``fps``: the rate of picture sequences (default: stated, else 30).
    - ``audio``: the sound, auto (of the held-out or first camera that has any), none, a camera's name or a
      file that begins with the capture's frame 0; ``audio_bitrate``: bits per second (default: 96000 for
      stereo, 64000 for mono).
    - ``space``: auto, perspective or box; ``seed``: with the same seed, a CPU encode is bit-exact.
    - ``time_limit``: seconds of training per segment.
    - ``segment`` (``"10s"`` or ``"120f"``), ``overlap``, ``warm_start``, ``key_segment``, ``workers``,
      ``cluster`` and ``send_capture`` are for long clips.
    - ``cache``: the work folder (default: beside the output), locked during the encode; ``resume`` continues
      from its checkpoint. ``save_importance``: a folder for images of the sampling weights.
    - ``on_progress`` is called with a ``Progress`` a few times per second at most, in the calling thread.

    Raises CaptureError, ConfigError, ViewError (held-out cameras that do not exist), ResumeError and
    OutputError, all subclasses of DynerfError. KeyboardInterrupt leaves a checkpoint. With ``workers`` above
    1 a script needs ``if __name__ == "__main__":``, because the workers are started with ``spawn``.
    """
    size = None if target_size is None else _size(target_size)
    options = EncodeOptions(
        Path(capture), Path(output), preset=preset, field=field, quality=quality, target_size=size,
        config=_path(config), settings=settings, device=device, frames=frames, hold_out=hold_out,
        downscale=downscale, layout=layout, depths=depths, fps=_rate(fps),
        audio=os.fspath(audio), audio_bitrate=audio_bitrate, space=space, seed=seed, time_limit=time_limit,
        segment=segment, overlap=overlap, warm_start=warm_start, key_segment=key_segment, workers=workers,
        cluster=cluster, send_capture=send_capture, threads=threads, cache=_path(cache),
        save_importance=_path(save_importance), resume=resume,
    )  # fmt: skip
    return run_encode(options, NullWatcher() if on_progress is None else ProgressWatcher(on_progress))


def _size(size: int | str) -> int:
    try:
        return parse_size(str(size))
    except ValueError as error:
        raise ConfigError(f"target_size {str(size)[:40]!r}: expected {error}") from None


def _rate(fps: Fraction | float | None) -> Fraction | None:
    return None if fps is None else Fraction(fps).limit_denominator(100_000)


def _path(value: str | os.PathLike[str] | None) -> Path | None:
    return None if value is None else Path(value)
