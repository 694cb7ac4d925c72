"""Implements ``dynerf encode``."""

import argparse
import os
from typing import TYPE_CHECKING

from dynerf.arguments.command import Command
from dynerf.console.log import JsonLog
from dynerf.console.progress import ConsoleWatcher, ProgressDisplay, say

from .calibrate import calibrate_without_poses
from .encode_arguments import add_arguments

if TYPE_CHECKING:
    from dynerf.api.encode_options import EncodeOptions
    from dynerf_encoder.jobs.job import EncodeResult


def run(options: argparse.Namespace) -> int:
    """Encode and print a summary."""
    from dynerf.api.encoding import run_encode

    request = encode_options(options)
    if options.calibrate and options.layout in (None, "capture"):
        request.check_settings()  # before minutes of calibration
        calibrate_without_poses(options.capture, options.seed, options.threads, resume=options.resume)
    is_main = os.environ.get("RANK", "0") == "0"  # among torchrun's processes, the one that writes
    log = JsonLog(options.output.with_name(f"{options.output.stem}.log.jsonl"), fresh=not options.resume)
    with log, ProgressDisplay() as tasks:
        try:
            result = run_encode(request, ConsoleWatcher(tasks, log))
            if not is_main:
                return 0
        except KeyboardInterrupt:
            tasks.stop()
            if is_main:
                say("stopped; the same command with --resume continues from the last checkpoint")
            raise
        log.write(
            "done", psnr=result.psnr, bytes=result.bytes, steps=result.steps,
            training_seconds=result.training_seconds,
        )  # fmt: skip
    _print_summary(result)
    return 0


def encode_options(options: argparse.Namespace) -> "EncodeOptions":
    """Convert a parsed command line to the options of ``encode``."""
    from dynerf.api.encode_options import EncodeOptions

    return EncodeOptions(
        capture=options.capture,
        output=options.output,
        preset=options.preset,
        field=options.field,
        quality=options.quality,
        target_size=options.target_size,
        config=options.config,
        settings=[*_shorthands(options), *options.assignments],
        device=options.device,
        frames=options.frames,
        hold_out=_held_out(options.hold_out),
        downscale=options.downscale,
        layout=options.layout,
        depths=options.depths,
        fps=options.fps,
        audio=options.audio,
        audio_bitrate=options.audio_bitrate,
        space=options.space,
        seed=options.seed,
        time_limit=options.time_limit,
        segment=options.segment,
        overlap=options.overlap,
        warm_start=options.warm_start,
        key_segment=options.key_segment,
        workers=options.workers,
        cluster=options.cluster,
        send_capture=options.send_capture,
        threads=options.threads,
        cache=options.cache,
        save_importance=options.save_importance,
        resume=options.resume,
    )


def _shorthands(options: argparse.Namespace) -> list[str]:
    """Options that are shorthands for settings, as assignments."""
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
    if options.layers_budget is not None:
        settings.append(f"layers.budget={','.join(str(share) for share in options.layers_budget)}")
    return settings


def _held_out(names: list[str] | None) -> list[str] | None:
    """The names of the repeatable ``--hold-out``; an empty list for ``none``."""
    if names is None:
        return None
    return [] if names == ["none"] else [name.strip() for part in names for name in part.split(",")]


def _print_summary(result: "EncodeResult") -> None:
    quality = "no view held out" if result.psnr is None else f"held-out PSNR {result.psnr:.2f} dB"
    say(
        f"{result.path}: {quality}, {result.bytes / 1e6:.2f} MB, "
        f"{result.steps} steps in {result.training_seconds:.0f} s of training"
    )
    if result.work_folder.exists():
        say(f"decoded frames and maps are kept in {result.work_folder} for the next run; delete it when done")


COMMAND = Command(
    name="encode",
    summary="train on a capture and write a .dnv file",
    description="""\
Train a radiance field conditioned on one latent code per frame (DyNeRF, CVPR
2022) on synchronised, calibrated videos, and write quantised weights and
latents into one .dnv file.

CAPTURE is a folder of videos, one per camera, or of folders of pictures, with
the cameras' poses: capture.json, poses_bounds.npy (N3V, LLFF), transforms.json
(nerfstudio), a COLMAP model, and others; docs/reference/captures.md lists all.

Ctrl-C finishes the step, saves a checkpoint and exits with status 130;
--resume continues from there, also after a crash. Progress is written to
standard error and, as JSON lines, to FILE.log.jsonl beside the output.
Decoded frames and the checkpoint are kept in FILE.work.

Clips longer than a segment (300 frames) have one model per segment. Segments
are independent tasks: --workers and --cluster encode several at once,
--resume encodes only those that are missing, and on the CPU the same
--threads give the same file in every case.
""",
    examples="""\
examples:
  dynerf encode samples/candle -o candle.dnv
  dynerf encode samples/candle -o quick.dnv --time-limit 1m --downscale 2
  dynerf encode capture -o clip.dnv --frames 0:300 --hold-out cam00,cam10
  dynerf encode capture -o clip.dnv --quality 8
  dynerf encode capture -o clip.dnv --target-size 2MB
  dynerf encode capture -o clip.dnv --preset paper --set schedule.scale=0.01
  dynerf encode capture -o long.dnv --segment 10s --workers 2
  dynerf encode capture -o long.dnv --cluster 10.0.0.1:6379 --warm-start
  torchrun --nproc-per-node 8 -m dynerf encode capture -o clip.dnv
""",
    add_arguments=add_arguments,
    run=run,
    imports=("dynerf_encoder.jobs.encode",),
)
