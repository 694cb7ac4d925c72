"""Adds the options of ``dynerf encode`` for long clips: segments and workers."""

import argparse


def add_segment_options(parser: argparse.ArgumentParser) -> None:
    """Add the options as a group named "long clips"."""
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
