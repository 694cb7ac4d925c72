"""Encodes a capture: validates the options, turns them into a job, and runs it.

``encode`` is the public function; it shares ``run_encode`` with the command ``dynerf encode``.
"""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import get_args

import torch

from dynerf.console.device import choose_device
from dynerf_decoder.progress import OnProgress
from dynerf_encoder.captures.few_cameras import FEW
from dynerf_encoder.captures.layouts.detect import read_recording
from dynerf_encoder.captures.reading import Reading
from dynerf_encoder.captures.scene_bounds import Choice
from dynerf_encoder.config.overrides import apply_assignments, apply_file
from dynerf_encoder.config.presets import PRESETS, PresetName, preset
from dynerf_encoder.config.schema import Config, FieldKind
from dynerf_encoder.config.smoothness import smoother
from dynerf_encoder.jobs import encode as encoder
from dynerf_encoder.jobs.encode import DEFAULT_OVERLAP, Segmentation, WarmStart
from dynerf_encoder.jobs.job import EncodeResult, Job, NullWatcher, Watcher
from dynerf_encoder.jobs.process_pool import ProcessPoolRunner
from dynerf_encoder.jobs.scheduler import Runner, SerialRunner
from dynerf_encoder.jobs.segments import SegmentLength
from dynerf_encoder.rate.quality import at_quality
from dynerf_encoder.schedule.conditioning import fit_latents
from dynerf_format.errors import ConfigError
from dynerf_format.frame_range import FrameRange
from dynerf_format.io.atomic_write import check_folder_writable, check_writable

from .progress_watcher import ProgressWatcher
from .quantities import parse_frames_or_seconds, parse_size

_MAX_WORKERS = 1024
_MAX_RATE = 1000


@dataclass(frozen=True)
class EncodeOptions:
    """The options of ``encode``. Raises OutputError or ConfigError when ``output`` cannot be written."""

    capture: Path
    output: Path
    preset: PresetName | None = None
    field: FieldKind | None = None
    quality: int | None = None
    target_size: int | None = None
    config: Path | None = None
    settings: Sequence[str] = ()
    device: str = "auto"
    frames: str = ":"
    hold_out: Sequence[str] | None = None
    downscale: int = 1
    layout: str | None = None
    depths: tuple[float, float] | None = None
    fps: Fraction | None = None
    space: Choice = "auto"
    seed: int = 0
    time_limit: float | None = None
    segment: str = "300f"
    overlap: int | None = None
    warm_start: float | None = None
    key_segment: int = 6
    workers: int = 1
    cluster: str | None = None
    send_capture: bool = False
    threads: int | None = None
    cache: Path | None = None
    save_importance: Path | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        check_writable(self.output)
        if self.save_importance is not None:
            check_folder_writable(self.save_importance)
        if self.output.suffix != ".dnv":
            raise ConfigError(f"{self.output}: the output is a .dnv file, expected a name that ends in .dnv")

    def job(self) -> Job:
        """The encoder's job. Raises ConfigError or CaptureError."""
        device = choose_device(self.device)
        if self.space not in get_args(Choice):
            raise ConfigError(f"space {self.space!r}: expected auto, perspective or box")
        names = read_recording(self.capture, self.layout).names
        hold_out = self._held_out(names)
        return Job(
            capture=self.capture,
            output=self.output,
            config=self._settings(device, few=len(set(names) - set(hold_out)) <= FEW),
            reading=self._reading(),
            frames=FrameRange.parse(self.frames),
            hold_out=hold_out,
            downscale=self.downscale,
            space=self.space,
            device=device,
            seed=self.seed,
            time_limit=self.time_limit,
            resume=self.resume,
            cache=self.cache,
            save_importance=self.save_importance,
        )

    def _settings(self, device: str, *, few: bool) -> Config:
        """The preset with all changes applied, in order of precedence; ``few`` cameras change it first."""
        name = self.preset or ("fast" if device.startswith("cuda") else "preview")
        if name not in PRESETS:
            raise ConfigError(f"preset {name!r}: expected one of {', '.join(PRESETS)}")
        if self.field not in (None, *get_args(FieldKind)):
            raise ConfigError(f"field {self.field!r}: expected planes or mlp")
        config = preset(name, self.field)
        if self.quality is not None:
            if self.target_size is not None:
                raise ConfigError("quality and target_size are both given, expected one of them")
            config = at_quality(config, self.quality)
        if few:
            config = smoother(config)
        if self.config is not None:
            config = apply_file(config, self.config)
        config = fit_latents(apply_assignments(config, self.settings))
        if self.target_size is not None:
            config = replace(config, rate=replace(config.rate, target=self.target_size))
        return config

    def _reading(self) -> Reading:
        if self.depths is not None and not 0 < self.depths[0] < self.depths[1] < math.inf:
            raise ConfigError(f"depths {self.depths}: expected near and far with 0 < near < far")
        if self.fps is not None and not 0 < self.fps <= _MAX_RATE:
            raise ConfigError(f"fps {self.fps}: expected above 0 and at most {_MAX_RATE}")
        return Reading(self.layout, self.depths, self.fps)

    def _held_out(self, names: Sequence[str]) -> tuple[str, ...]:
        """By default cam00 if the capture has it, as in the Plenoptic Video data set."""
        if self.hold_out is None:
            return tuple(name for name in names if name == "cam00")
        return (self.hold_out,) if isinstance(self.hold_out, str) else tuple(self.hold_out)

    def segmentation(self) -> Segmentation:
        """How the clip is divided into segments. Raises ConfigError."""
        warm = None if self.warm_start is None else WarmStart(self.warm_start, self.key_segment)
        overlap = DEFAULT_OVERLAP if self.overlap is None else self.overlap
        try:
            length = SegmentLength(*parse_frames_or_seconds(self.segment))
        except ValueError as error:
            raise ConfigError(f"--segment {self.segment[:40]}: expected {error}") from None
        return Segmentation(length, overlap, warm)

    def runner(self, device: str) -> Runner:
        """The runner of the segments: this process, a pool of processes, or Ray. Raises ConfigError."""
        if not 1 <= self.workers <= _MAX_WORKERS:
            raise ConfigError(f"--workers {self.workers}: expected 1 to {_MAX_WORKERS}")
        if ":" in device and (self.workers > 1 or self.cluster is not None):
            raise ConfigError(f"device {device}: workers are assigned their GPUs, expected cuda")
        if self.cluster is not None:
            from dynerf_encoder.jobs.ray_runner import RayRunner  # Ray is optional

            if self.workers != 1:
                raise ConfigError(
                    "--workers and --cluster: expected one of them; Ray sets its own worker count"
                )
            return RayRunner(self.cluster, self.send_capture)
        if self.send_capture:
            raise ConfigError("--send-capture: expected together with --cluster")
        if self.workers == 1:
            return SerialRunner()
        return ProcessPoolRunner(self.workers, torch.cuda.device_count() if device.startswith("cuda") else 0)

    def thread_count(self) -> int:
        """CPU threads of each training process: as requested, or its share of the cores."""
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) * self.workers  # torchrun sets the variable
        return self.threads or max(1, _cores() // max(1, processes))


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
    options = EncodeOptions(
        capture=Path(capture),
        output=Path(output),
        preset=preset,
        field=field,
        quality=quality,
        target_size=None if target_size is None else _size(target_size),
        config=_path(config),
        settings=settings,
        device=device,
        frames=frames,
        hold_out=hold_out,
        downscale=downscale,
        layout=layout,
        depths=depths,
        fps=None if fps is None else Fraction(fps).limit_denominator(100_000),
        space=space,
        seed=seed,
        time_limit=time_limit,
        segment=segment,
        overlap=overlap,
        warm_start=warm_start,
        key_segment=key_segment,
        workers=workers,
        cluster=cluster,
        send_capture=send_capture,
        threads=threads,
        cache=_path(cache),
        save_importance=_path(save_importance),
        resume=resume,
    )
    return run_encode(options, NullWatcher() if on_progress is None else ProgressWatcher(on_progress))


def _size(size: int | str) -> int:
    try:
        return parse_size(str(size))
    except ValueError as error:
        raise ConfigError(f"target_size {str(size)[:40]!r}: expected {error}") from None


def _cores() -> int:
    """CPU cores that this process may use; all cores where the system does not report it, as on macOS."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _path(value: str | os.PathLike[str] | None) -> Path | None:
    return None if value is None else Path(value)
