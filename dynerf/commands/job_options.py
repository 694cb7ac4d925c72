"""Options of ``dynerf encode`` for long clips: segments and workers."""

import argparse


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
