"""``dynerf encode``."""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf_format.atomic import check_writable
from dynerf_format.errors import ConfigError

from ..device import choose_device
from ..display import Messages, Tasks, say
from ..log import JsonLog
from ..long_options import cutting_of, runner_of, threads_of

if TYPE_CHECKING:
    from dynerf_encoder.job import Job, Result


def run(options: argparse.Namespace) -> int:
    """Encode; print what was reached."""
    check_writable(options.output)
    if options.output.suffix != ".dnv":
        raise ConfigError(f"{options.output}: the output is a .dnv file, expected a name that ends in .dnv")
    job = job_of(options)
    cutting, runner = cutting_of(options), runner_of(options, job.device)
    from dynerf_encoder.long_encode import encode

    leads = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun started, the one that writes
    log = JsonLog(options.output.with_name(f"{options.output.stem}.log.jsonl"), fresh=not options.resume)
    with log, Tasks() as tasks:
        watcher = Messages(tasks, log)
        try:
            result = encode(job, watcher, cutting, runner, threads_of(options))
            if not leads:
                return 0
        except KeyboardInterrupt:
            tasks.stop()
            if leads:
                say("stopped; the same command with --resume goes on from the last checkpoint")
            raise
        log.write(
            "done", psnr=result.psnr, bytes=result.bytes, steps=result.steps,
            training_seconds=result.training_seconds,
        )  # fmt: skip
    _tell(result)
    return 0


def job_of(options: argparse.Namespace) -> "Job":
    """The job that a command line asks for."""
    import torch

    from dynerf_encoder.conditioning import fit_latents
    from dynerf_encoder.job import Job
    from dynerf_encoder.overrides import apply_assignments, apply_file
    from dynerf_encoder.presets import preset
    from dynerf_encoder.quality import at_quality
    from dynerf_format.frame_range import FrameRange

    device = choose_device(options.device)
    if device == "cpu":
        torch.set_num_threads(threads_of(options))
    config = preset(options.preset or ("fast" if device == "cuda" else "preview"), options.field)
    if options.quality is not None:
        config = at_quality(config, options.quality)
    if options.config is not None:
        config = apply_file(config, options.config)
    config = fit_latents(apply_assignments(config, [*_shorthands(options), *options.assignments]))
    if options.target_size is not None:
        config = replace(config, rate=replace(config.rate, target=options.target_size))
    return Job(
        capture=options.capture,
        output=options.output,
        config=config,
        frames=FrameRange.parse(options.frames),
        hold_out=_held_out(options.hold_out, options.capture),
        downscale=options.downscale,
        space=options.space,
        device=device,
        seed=options.seed,
        time_limit=options.time_limit,
        resume=options.resume,
        cache=options.cache,
        save_importance=options.save_importance,
    )


def _shorthands(options: argparse.Namespace) -> list[str]:
    """The options that stand for settings, as assignments."""
    settings = []
    if options.conditioning is not None:
        settings.append(f"conditioning.kind={options.conditioning}")
    if options.no_hierarchical:
        settings.append("schedule.hierarchical=false")
    if options.importance is not None:
        settings.append(f"importance.strategy={options.importance}")
    if options.keyframes == "auto":
        settings.append("schedule.keyframes=auto")
    elif options.keyframes is not None:
        settings += ["schedule.keyframes=fixed", f"schedule.keyframe_interval={options.keyframes}"]
    return settings


def _held_out(asked: list[str] | None, capture: Path) -> tuple[str, ...]:
    """By default cam00, as the data set's authors do, when the capture has it."""
    if asked is None:
        return ("cam00",) if (capture / "cam00.mp4").exists() else ()
    return () if asked == ["none"] else tuple(name.strip() for names in asked for name in names.split(","))


def _tell(result: "Result") -> None:
    quality = "no view held out" if result.psnr is None else f"held-out PSNR {result.psnr:.2f} dB"
    say(
        f"{result.output}: {quality}, {result.bytes / 1e6:.2f} MB, "
        f"{result.steps} steps in {result.training_seconds:.0f} s of training"
    )
    if result.work_folder.exists():
        say(f"decoded pictures and maps stay in {result.work_folder} for the next run; delete it when done")
