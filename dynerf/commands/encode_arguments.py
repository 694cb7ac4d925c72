"""Options of ``dynerf encode``, in the groups of its help page."""

import argparse
from pathlib import Path

from dynerf.arguments import values
from dynerf.arguments.shared import add_device, add_layout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all options of the command."""
    parser.add_argument(
        "capture",
        type=values.local_path,
        metavar="CAPTURE",
        help="folder with videos or pictures and the cameras' poses, or the file that holds these",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.dnv", help="the file to write"
    )
    _add_size(parser)
    _add_capture(parser)
    _add_training(parser)
    _add_baselines(parser)
    _add_execution(parser)
    _add_segments(parser)


def _add_size(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("quality and size")
    size = group.add_mutually_exclusive_group()
    size.add_argument(
        "--quality", type=values.quality, metavar="1..10",
        help="10 gives the best quality and the largest file; each step down is about a quarter smaller "
        "(default: 6)",
    )  # fmt: skip
    size.add_argument(
        "--target-size", type=values.size, metavar="SIZE",
        help="size of the file, such as 500kB, 2MB, 300KiB or bytes, met within 5 %%; sets the quality",
    )  # fmt: skip
    group.add_argument(
        "--layers-budget", type=values.shares, metavar="SHARES",
        help="train quality layers that end at these shares of the weights; a player shows each as soon as "
        "it has it (default: 23%%,100%%, for paper 100%%); 100%%: three by division, the first blurrier",
    )  # fmt: skip


def _add_capture(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("capture")
    group.add_argument(
        "--frames", metavar="A:B", default=":", help="encode frames A to B-1 only (default: all)"
    )
    group.add_argument(
        "--hold-out", metavar="A,B", action="append",
        help="cameras to exclude from training and use for validation; may be repeated, 'none' trains on all "
        "(default: cam00 if it exists)",
    )  # fmt: skip
    group.add_argument(
        "--downscale", type=values.positive, default=1, metavar="N", help="average N x N pixels (default: 1)"
    )
    add_layout(group)
    group.add_argument(
        "--calibrate", action="store_true",
        help="if the capture has no poses, find them first with the defaults of 'dynerf calibrate'",
    )  # fmt: skip
    group.add_argument(
        "--depths", type=values.depths, metavar="NEAR:FAR",
        help="depths between which the cameras see the scene, in the unit of the poses (default: as the "
        "capture states, else from its points or from where the cameras look)",
    )  # fmt: skip
    group.add_argument(
        "--fps", type=values.rate, metavar="RATE",
        help="frames per second of picture sequences, such as 25 or 30000/1001 (default: as the capture "
        "states, else 30)",
    )  # fmt: skip
    group.add_argument(
        "--audio", default="auto", metavar="auto|none|CAMERA|FILE",
        help="the sound: of a camera, or of a file that begins with the capture's frame 0 (default: auto, "
        "the held-out or first camera that has any)",
    )  # fmt: skip
    group.add_argument(
        "--audio-bitrate", type=values.bit_rate, metavar="RATE",
        help="bits per second of the sound, such as 64k (default: 96k for stereo, 64k for mono)",
    )  # fmt: skip
    group.add_argument(
        "--space", choices=("auto", "perspective", "box"), default="auto",
        help="perspective for forward-facing cameras, box for inward-facing cameras "
        "(default: auto, detected from the poses)",
    )  # fmt: skip


def _add_training(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("training")
    group.add_argument(
        "--preset", choices=("preview", "balanced", "fast", "paper"),
        help="preview: minutes on two CPU cores; balanced: a quarter of an hour on them; fast: one GPU; "
        "paper: the published schedule, for the mlp field (default: fast with CUDA, else preview)",
    )  # fmt: skip
    group.add_argument(
        "--field",
        choices=("planes", "mlp"),
        help="the network (default: the preset's; planes, or mlp for paper)",
    )
    group.add_argument(
        "--time-limit", type=values.duration, metavar="T",
        help="train each segment for at most this long, such as 90, 90s, 3m or 1h30m; all stages are "
        "shortened to fit; quality layers are trained after it (default: none)",
    )  # fmt: skip
    group.add_argument("--seed", type=values.seed, default=0, metavar="N", help="random seed (default: 0)")
    group.add_argument("--config", type=Path, metavar="FILE.toml", help="settings in [section] tables")
    group.add_argument(
        "--set", action="append", default=[], dest="assignments", metavar="SECTION.KEY=VALUE",
        help="change one setting, after --config; may be repeated ('dynerf info' lists a file's settings)",
    )  # fmt: skip
    group.add_argument(
        "--save-importance", type=Path, metavar="DIR", help="write images of the rays' sampling weights"
    )


def _add_baselines(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "baselines", "parts of the training disabled or replaced, as in the paper's ablations"
    )
    group.add_argument(
        "--conditioning", choices=("latent", "time", "none"),
        help="what the field is conditioned on: a learned code per frame, the encoded time (NeRF-T), or "
        "nothing (a NeRF per frame, with --frames T:T+1) (default: latent)",
    )  # fmt: skip
    group.add_argument(
        "--no-hierarchical",
        action="store_true",
        help="train on all frames from the start, without a keyframe stage",
    )
    group.add_argument(
        "--importance", choices=("uniform", "isg", "ist", "isg+ist"),
        help="how rays are sampled: by difference to the temporal median (isg), by temporal difference (ist),"
        " one after the other, or uniformly (default: isg+ist)",
    )  # fmt: skip
    group.add_argument(
        "--keyframes", type=values.keyframes, metavar="N|auto",
        help="every N-th frame, or auto: as many, placed where the video changes most (default: the preset's "
        "N)",
    )  # fmt: skip


def _add_execution(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("execution")
    add_device(group)
    group.add_argument("--threads", type=values.threads, metavar="N", help="CPU threads (default: all cores)")
    group.add_argument(
        "--cache", type=Path, metavar="DIR",
        help="folder for decoded frames, maps and the checkpoint (default: FILE.work beside the output)",
    )  # fmt: skip
    group.add_argument(
        "--resume", action="store_true", help="continue from the checkpoint of an interrupted run"
    )


def _add_segments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("long clips")
    group.add_argument(
        "--segment", metavar="T", default="300f",
        help="length of a segment, which has one model, such as 10s, 2m or 120f; a last segment shorter than "
        "half of it is merged into the previous one (default: 300f)",
    )  # fmt: skip
    group.add_argument(
        "--overlap", type=int, metavar="N",
        help="train each segment also on N frames of each neighbour (default: 2)",
    )  # fmt: skip
    group.add_argument(
        "--workers", type=int, default=1, metavar="N",
        help="encode N segments at once; GPUs or CPU cores are divided among them (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "--cluster", metavar="ADDRESS",
        help="encode on a Ray cluster: host:port of its head, or auto for the one this machine belongs to",
    )  # fmt: skip
    group.add_argument(
        "--send-capture", action="store_true",
        help="with --cluster: send the videos to the workers (default: they read CAPTURE at the same path)",
    )  # fmt: skip
    group.add_argument(
        "--warm-start", type=float, nargs="?", const=0.5, metavar="SHARE",
        help="initialise each segment from the previous one and train for this share of the steps "
        "(default: 0.5); weights are stored as differences where that is smaller",
    )  # fmt: skip
    group.add_argument(
        "--key-segment", type=int, default=6, metavar="N",
        help="with --warm-start: every N-th segment is independent of the others; the runs of segments that "
        "start there are encoded in parallel (default: 6)",
    )  # fmt: skip
