"""Options that several commands share."""

import argparse

from dynerf.api.opening import parse_location

_DEVICES = ("auto", "cpu", "cuda")


def add_clip(parser: argparse.ArgumentParser) -> None:
    """The clip to read: a file or an address."""
    parser.add_argument(
        "clip",
        type=parse_location,
        metavar="CLIP.dnv",
        help="a file that 'dynerf encode' wrote, or its address",
    )


def add_device(parser: argparse._ActionsContainer) -> None:
    """Where to compute."""
    parser.add_argument(
        "--device", choices=_DEVICES, default="auto", help="where to compute (default: cuda if available)"
    )


def add_origins(parser: argparse.ArgumentParser) -> None:
    """Origins from which browsers may reach a server."""
    parser.add_argument(
        "--allow-origin", action="append", default=[], metavar="ORIGIN",
        help="the origin at which browsers reach this server, such as https://films.example, when it is not "
        "this machine's own name or IP address: that of a proxy or a tunnel, or a name in the local network; "
        "also another site whose pages may use this server; may be repeated; * for all",
    )  # fmt: skip
