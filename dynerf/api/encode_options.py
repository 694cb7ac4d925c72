"""The options of an encode as Python values, and what they mean: a job, segments, a runner, a device."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import get_args

import torch

from dynerf.console.device import choose_device
from dynerf_encoder.captures.few_cameras import FEW
from dynerf_encoder.captures.layouts.detect import read_recording
from dynerf_encoder.captures.reading import Reading
from dynerf_encoder.captures.scene_bounds import Choice
from dynerf_encoder.config.overrides import apply_assignments, apply_file
from dynerf_encoder.config.presets import PRESETS, PresetName, preset
from dynerf_encoder.config.schema import Config, FieldKind
from dynerf_encoder.config.smoothness import smoother
from dynerf_encoder.jobs.encode import DEFAULT_OVERLAP, Segmentation, WarmStart
from dynerf_encoder.jobs.job import Job
from dynerf_encoder.jobs.process_pool import ProcessPoolRunner
from dynerf_encoder.jobs.scheduler import Runner, SerialRunner
from dynerf_encoder.jobs.segments import SegmentLength
from dynerf_encoder.rate.quality import at_quality
from dynerf_encoder.schedule.conditioning import fit_latents
from dynerf_encoder.sound.sound_source import SoundOptions
from dynerf_format.errors import ConfigError
from dynerf_format.frame_range import FrameRange
from dynerf_format.io.atomic_write import check_folder_writable, check_writable

from .quantities import LEAST_BIT_RATE, MOST_BIT_RATE, parse_frames_or_seconds

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
    audio: str | Path = "auto"
    audio_bitrate: int | None = None
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
        if self.audio_bitrate is not None and not LEAST_BIT_RATE <= self.audio_bitrate <= MOST_BIT_RATE:
            raise ConfigError(
                f"audio_bitrate {self.audio_bitrate}: expected {LEAST_BIT_RATE} to {MOST_BIT_RATE} bits per "
                "second"
            )
        check_writable(self.output)
        if self.save_importance is not None:
            check_folder_writable(self.save_importance)
        if self.output.suffix != ".dnv":
            raise ConfigError(f"{self.output}: the output is a .dnv file, expected a name that ends in .dnv")

    def check_settings(self) -> None:
        """ConfigError for what is wrong whatever the capture is."""
        self._settings(choose_device(self.device), few=False)
        self._reading()
        FrameRange.parse(self.frames)
        self.segmentation()

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
            audio=SoundOptions(str(self.audio), self.audio_bitrate),
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


def _cores() -> int:
    """CPU cores that this process may use; all cores where the system does not report it, as on macOS."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
