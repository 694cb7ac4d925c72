"""The command line: every subcommand with its options, and help that reads like a manual page."""

import argparse
import math
import re
from pathlib import Path

from dynerf_format.version import __version__

from .commands import decode, encode, evaluate, info

_DEVICES = ("auto", "cpu", "cuda")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(s|m|h)?")
_UNITS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; the chosen one is ``options.run``."""
    parser = argparse.ArgumentParser(
        prog="dynerf",
        description="A codec and player for neural 3D video: multi-view recordings in, one compact file out, "
        "any viewpoint at any time.",
        epilog="Exit status: 0 done, 2 bad input or option, 130 interrupted. "
        "'dynerf COMMAND --help' tells all about a command.",
    )
    parser.add_argument("--version", action="version", version=f"dynerf {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_encode(commands)
    _add_decode(commands)
    _add_eval(commands)
    _add_info(commands)
    return parser


Commands = argparse._SubParsersAction


def _command(
    commands: "Commands[argparse.ArgumentParser]", name: str, summary: str, description: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_encode(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = _command(commands, "encode", "train on a capture and write a .dnv file", _ENCODE)
    parser.add_argument(
        "capture", type=Path, metavar="CAPTURE", help="folder with camNN.mp4 and poses_bounds.npy"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.dnv", help="the file to write"
    )
    parser.add_argument(
        "--preset", choices=("preview", "fast", "paper"),
        help="preview: minutes on two CPU cores; fast: one GPU; paper: the published schedule, for the mlp "
        "field (default: fast with CUDA, else preview)",
    )  # fmt: skip
    parser.add_argument(
        "--field",
        choices=("planes", "mlp"),
        help="the network (default: the preset's; planes, or mlp for paper)",
    )
    _add_device(parser)
    parser.add_argument(
        "--frames", metavar="A:B", default=":", help="encode frames A to B-1 only (default: all)"
    )
    parser.add_argument(
        "--hold-out", metavar="VIEW", action="append",
        help="keep a camera out of the training to measure on it; may be repeated, 'none' trains on all "
        "(default: cam00 when it exists)",
    )  # fmt: skip
    parser.add_argument(
        "--downscale", type=_positive, default=1, metavar="N", help="average N x N pixels (default: 1)"
    )
    parser.add_argument(
        "--space", choices=("auto", "perspective", "box"), default="auto",
        help="perspective for cameras that face forward, box for cameras that look inward (default: auto)",
    )  # fmt: skip
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="random seed (default: 0)")
    parser.add_argument(
        "--time-limit", type=_duration, metavar="T",
        help="train at most this long, as 90, 90s, 3m or 2h; all stages are shortened to fit (default: none)",
    )  # fmt: skip
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="settings in [section] tables")
    parser.add_argument(
        "--set", action="append", default=[], dest="assignments", metavar="SECTION.KEY=VALUE",
        help="change one setting, after --config; may be repeated",
    )  # fmt: skip
    parser.add_argument("--threads", type=_positive, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR",
        help="folder for decoded pictures, maps and the checkpoint (default: FILE.work beside the output)",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint of an interrupted run"
    )
    parser.set_defaults(run=encode.run)


def _add_decode(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = _command(commands, "decode", "render a viewpoint to MP4 or PNG", _DECODE)
    parser.add_argument("clip", type=Path, metavar="CLIP.dnv")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="out.mp4, or name_%%04d.png for pictures",
    )
    parser.add_argument(
        "--view", default=None, metavar="VIEW",
        help="a camera (cam00), still:cam03, spiral, orbit, or a nerfstudio camera path (path.json); "
        "default: the first camera",
    )  # fmt: skip
    span = parser.add_mutually_exclusive_group()
    span.add_argument("--frames", metavar="A:B", help="show frames A to B-1 (default: all)")
    span.add_argument("--time", metavar="S:S", help="show this stretch, in seconds")
    parser.add_argument(
        "--speed",
        type=_number,
        default=1.0,
        metavar="X",
        help="0.25 is slow motion with new in-between frames",
    )
    parser.add_argument(
        "--freeze", type=_number, metavar="S", help="stop the content at second S while the view moves"
    )
    parser.add_argument("--fps", metavar="N", help="pictures per second of the output (default: the clip's)")
    parser.add_argument("--size", metavar="WxH", help="picture size (default: the camera's)")
    parser.add_argument("--depth", action="store_true", help="show distance instead of colour: near is white")
    _add_device(parser)
    parser.set_defaults(run=decode.run)


def _add_eval(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = _command(commands, "eval", "measure a clip against its capture", _EVAL)
    parser.add_argument("clip", type=Path, metavar="CLIP.dnv")
    parser.add_argument("capture", type=Path, metavar="CAPTURE")
    parser.add_argument(
        "--views", metavar="A,B", help="cameras to compare (default: the held-out ones, or all without any)"
    )
    parser.add_argument(
        "--every", type=_positive, default=1, metavar="N", help="compare every N-th frame (default: 1)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    _add_device(parser)
    parser.set_defaults(run=evaluate.run)


def _add_info(commands: "Commands[argparse.ArgumentParser]") -> None:
    parser = _command(commands, "info", "tell what is in a .dnv file", _INFO)
    parser.add_argument("clip", type=Path, metavar="CLIP.dnv")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.set_defaults(run=info.run)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=_DEVICES, default="auto", help="default: cuda when there is one")


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10**6:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of at least 1")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number from 0 to {2**32 - 1}")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number")
    return value


def _duration(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a duration such as 90, 90s, 3m or 2h")
    return float(match[1]) * _UNITS[match[2]]


_ENCODE = """\
Train a radiance field conditioned on one latent code per frame (DyNeRF, CVPR 2022) on synchronised,
calibrated videos, and write quantised weights and latents into one .dnv file.

CAPTURE is a folder in the layout of the Plenoptic Video data set: camNN.mp4, one per camera, and
poses_bounds.npy, one row per video in sorted order.

Ctrl-C finishes the step, saves a checkpoint and exits with status 130; --resume goes on from there, also
after a crash. Progress goes to standard error and, as JSON lines, to FILE.log.jsonl beside the output.

  dynerf encode samples/candle -o candle.dnv
  dynerf encode samples/candle -o quick.dnv --set schedule.scale=0.1 --downscale 2
  dynerf encode capture/ -o clip.dnv --preset paper --set schedule.scale=0.01
"""
_DECODE = """\
Render any viewpoint at any time. Fractional times interpolate the frames' latent codes.

  dynerf decode clip.dnv -o out.mp4 --view cam00
  dynerf decode clip.dnv -o slow.mp4 --view orbit --speed 0.25
  dynerf decode clip.dnv -o bullet.mp4 --view spiral --freeze 0.5
  dynerf decode clip.dnv -o frame_%%04d.png --view still:cam03 --frames 0:10 --size 640x360
"""
_EVAL = """\
Decode pictures of a clip and compare them with the capture it was encoded from: PSNR and SSIM per frame and
mean, on decoded RGB before any video coding. SSIM: Gaussian window of sigma 1.5, data range 1.
"""
_INFO = """\
Tell what is in a .dnv file: length, cameras, field, bytes per part, bits per parameter, and the effective
configuration that made it. Reads the head of the file and its directory; torch is not needed.
"""
