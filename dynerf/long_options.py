"""Options of ``dynerf encode`` for long clips: segments, workers, and what they mean to the encoder."""

import argparse
import os
from typing import TYPE_CHECKING

from dynerf_format.errors import ConfigError

from .quantities import parse_frames_or_seconds

if TYPE_CHECKING:
    from dynerf_encoder.long_encode import Cutting
    from dynerf_encoder.tasks import Runner


def add_long_options(parser: argparse.ArgumentParser) -> None:
    """Add them in a group of their own."""
    group = parser.add_argument_group("long clips")
    group.add_argument(
        "--segment", metavar="T", default="300f",
        help="one model for each stretch of this length, as 10s, 2m or 120f; a last one shorter than half of "
        "it is merged into the one before (default: 300f)",
    )  # fmt: skip
    group.add_argument(
        "--overlap", type=int, metavar="N",
        help="train each segment on N frames of its neighbours, too (default: 2)",
    )  # fmt: skip
    group.add_argument(
        "--workers", type=int, default=1, metavar="N",
        help="encode N segments at once; GPUs, or CPU cores, are shared out (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "--cluster", metavar="ADDRESS",
        help="encode on a Ray cluster: host:port of its head, or auto for the one of this machine",
    )  # fmt: skip
    group.add_argument(
        "--send-capture", action="store_true",
        help="with --cluster: send the videos to the workers (default: they read CAPTURE at the same path)",
    )  # fmt: skip
    group.add_argument(
        "--warm-start", type=float, nargs="?", const=0.5, metavar="SHARE",
        help="start each segment from the one before it, with this share of the steps (default: 0.5); its "
        "weights are stored as what differs from there, where that is smaller",
    )  # fmt: skip
    group.add_argument(
        "--key-segment", type=int, default=6, metavar="N",
        help="with --warm-start: every N-th segment starts anew and needs no other to be shown; such rows "
        "run at once (default: 6)",
    )  # fmt: skip


def cutting_of(options: argparse.Namespace) -> "Cutting":
    """How the clip is to be cut. Raises ConfigError."""
    from dynerf_encoder.long_encode import DEFAULT_OVERLAP, Cutting, WarmStart
    from dynerf_encoder.segments import SegmentLength

    warm = None
    if options.warm_start is not None:
        warm = WarmStart(options.warm_start, options.key_segment)
    overlap = DEFAULT_OVERLAP if options.overlap is None else options.overlap
    try:
        length = SegmentLength(*parse_frames_or_seconds(options.segment))
    except ValueError as error:
        raise ConfigError(f"--segment {options.segment[:40]}: expected {error}") from None
    return Cutting(length, overlap, warm)


def runner_of(options: argparse.Namespace, device: str) -> "Runner":
    """Who does the work. Raises ConfigError."""
    from dynerf_encoder.tasks import Serially
    from dynerf_encoder.workers import Workers

    if not 1 <= options.workers <= 1024:
        raise ConfigError(f"--workers {options.workers}: expected 1 to 1024")
    if options.cluster is not None:
        from dynerf_encoder.cluster import OnRay

        if options.workers != 1:
            raise ConfigError("--workers and --cluster exclude each other: Ray knows how many it has")
        return OnRay(options.cluster, options.send_capture)
    if options.send_capture:
        raise ConfigError("--send-capture: expected together with --cluster")
    if options.workers == 1:
        return Serially()
    return Workers(options.workers, _gpus() if device == "cuda" else 0)


def threads_of(options: argparse.Namespace) -> int:
    """CPU threads of each process that trains: those asked for, or its share of the cores."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) * options.workers  # the first set by torchrun
    asked: int | None = options.threads
    return asked or max(1, _cores() // max(1, processes))


def _cores() -> int:
    """CPU cores that this process may use; all of them where the system cannot tell, as macOS."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
