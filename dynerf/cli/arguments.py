"""Defines the command line: every command with its options and the parsers of their values."""

import argparse
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from dynerf.api.opening import parse_location
from dynerf.api.quantities import parse_duration, parse_shares, parse_size
from dynerf.commands import decode, encode, evaluate, info, play, repair, serve, splice, verify
from dynerf.commands.job_options import add_segment_options
from dynerf_format.version import __version__

from . import help_texts

_T = TypeVar("_T")
_DEVICES = ("auto", "cpu", "cuda")
_SIZE_UNIT = re.compile(r"[KMG]i?B|bytes", re.IGNORECASE)
_INTEGER = re.compile(r"[0-9]{1,10}")
_MINUS = re.compile(r"-[0-9.:]")
_MAX_THREADS = 1024


class Parser(argparse.ArgumentParser):
    """Reports errors in one line, like all other errors of the command, and accepts no abbreviations."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"{self.prog}: error: {message}; see '{self.prog} --help'\n")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse one command line, without the program's name. SystemExit when it is invalid."""
    return make_parser().parse_args(_join_words(arguments))


def _join_words(arguments: Sequence[str]) -> list[str]:
    """Join values that argparse would split: ``--frames -1:3`` and ``--target-size 300 kB``.

    argparse would take ``-1:3`` for an option and ``kB`` for the capture, with a misleading error.
    """
    words: list[str] = []
    for word in arguments:
        if words and words[-1] in ("--frames", "--time") and _MINUS.match(word):
            words[-1] += f"={word}"
        elif words[-2:-1] == ["--target-size"] and _SIZE_UNIT.fullmatch(word):
            words[-1] += word
        else:
            words.append(word)
    return words


def make_parser() -> Parser:
    """The parser of all commands; the function of the chosen command is ``options.run``.

    ``options.imports`` are the large modules that it needs: see ``entry.py``.
    """
    parser = Parser(
        prog="dynerf",
        description=help_texts.COMMANDS[0],
        epilog=help_texts.COMMANDS[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"dynerf {__version__}", help="print the version and exit"
    )
    parser.set_defaults(imports=())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_encode(commands)
    _add_decode(commands)
    _add_eval(commands)
    _add_info(commands)
    _add_cut(commands)
    _add_join(commands)
    _add_verify(commands)
    _add_repair(commands)
    _add_serve(commands)
    _add_play(commands)
    return parser


Subparsers = argparse._SubParsersAction


def _command(commands: "Subparsers[Parser]", name: str, summary: str, text: tuple[str, str]) -> Parser:
    """Add a command with its description and examples."""
    return commands.add_parser(
        name,
        help=summary,
        description=text[0],
        epilog=text[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_encode(commands: "Subparsers[Parser]") -> None:
    parser = _command(commands, "encode", "train on a capture and write a .dnv file", help_texts.ENCODE)
    parser.add_argument(
        "capture", type=_local, metavar="CAPTURE", help="folder with camNN.mp4 and poses_bounds.npy"
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
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quality", type=_quality, metavar="1..10",
        help="10 gives the best quality and the largest file; each step down is about a quarter smaller "
        "(default: 6)",
    )  # fmt: skip
    size.add_argument(
        "--target-size", type=_size, metavar="SIZE",
        help="size of the file, such as 500kB, 2MB, 300KiB or bytes, met within 5 %%; sets the quality",
    )  # fmt: skip
    parser.add_argument(
        "--layers-budget", type=_shares, metavar="P%%,P%%,100%%",
        help="train quality layers that end at these shares of the file; a player shows each as soon as it "
        "has it (default: three layers by division, with a larger but blurrier first one)",
    )  # fmt: skip
    _add_device(parser)
    parser.add_argument(
        "--frames", metavar="A:B", default=":", help="encode frames A to B-1 only (default: all)"
    )
    parser.add_argument(
        "--hold-out", metavar="A,B", action="append",
        help="cameras to exclude from training and use for validation; may be repeated, 'none' trains on all "
        "(default: cam00 if it exists)",
    )  # fmt: skip
    parser.add_argument(
        "--downscale", type=_positive, default=1, metavar="N", help="average N x N pixels (default: 1)"
    )
    parser.add_argument(
        "--space", choices=("auto", "perspective", "box"), default="auto",
        help="perspective for forward-facing cameras, box for inward-facing cameras "
        "(default: auto, detected from the poses)",
    )  # fmt: skip
    _add_baselines(parser)
    parser.add_argument(
        "--save-importance", type=Path, metavar="DIR", help="write images of the rays' sampling weights"
    )
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="random seed (default: 0)")
    parser.add_argument(
        "--time-limit", type=_duration, metavar="T",
        help="train each segment for at most this long, such as 90, 90s, 3m or 1h30m; all stages are "
        "shortened to fit (default: none)",
    )  # fmt: skip
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="settings in [section] tables")
    parser.add_argument(
        "--set", action="append", default=[], dest="assignments", metavar="SECTION.KEY=VALUE",
        help="change one setting, after --config; may be repeated ('dynerf info' lists a file's settings)",
    )  # fmt: skip
    parser.add_argument("--threads", type=_threads, metavar="N", help="CPU threads (default: all cores)")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR",
        help="folder for decoded frames, maps and the checkpoint (default: FILE.work beside the output)",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true", help="continue from the checkpoint of an interrupted run"
    )
    add_segment_options(parser)
    parser.set_defaults(run=encode.run, imports=("dynerf_encoder.jobs.encode",))


def _add_baselines(parser: Parser) -> None:
    """Options that disable parts of the training, for the paper's baselines and ablations."""
    parser.add_argument(
        "--conditioning", choices=("latent", "time", "none"),
        help="what the field is conditioned on: a learned code per frame, the encoded time (NeRF-T), or "
        "nothing (a NeRF per frame, with --frames T:T+1) (default: latent)",
    )  # fmt: skip
    parser.add_argument(
        "--no-hierarchical",
        action="store_true",
        help="train on all frames from the start, without a keyframe stage",
    )
    parser.add_argument(
        "--importance", choices=("uniform", "isg", "ist", "isg+ist"),
        help="how rays are sampled: by difference to the temporal median (isg), by temporal difference (ist),"
        " one after the other, or uniformly (default: isg+ist)",
    )  # fmt: skip
    parser.add_argument(
        "--keyframes", type=_keyframes, metavar="N|auto",
        help="every N-th frame, or auto: as many, placed where the video changes most (default: the preset's "
        "N)",
    )  # fmt: skip


def _add_decode(commands: "Subparsers[Parser]") -> None:
    parser = _command(commands, "decode", "render a viewpoint to MP4 or PNG", help_texts.DECODE)
    _add_clip(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="out.mp4, or name_%%04d.png for images",
    )
    parser.add_argument(
        "--view", default=None, metavar="VIEW",
        help="a camera (cam00), still:cam03, spiral, orbit, or a nerfstudio camera path (path.json); "
        "default: the first camera",
    )  # fmt: skip
    span = parser.add_mutually_exclusive_group()
    span.add_argument("--frames", metavar="A:B", help="show frames A to B-1 (default: all)")
    span.add_argument("--time", metavar="S:S", help="show this range in seconds, such as 0.5:2")
    parser.add_argument(
        "--speed",
        type=_number,
        default=1.0,
        metavar="X",
        help="0.25 is slow motion with interpolated frames (default: 1)",
    )
    parser.add_argument(
        "--freeze", type=_seconds, metavar="S",
        help="freeze the content at second S while the view moves: for 4 s, or the duration of the camera "
        "path, --time or --frames",
    )  # fmt: skip
    parser.add_argument("--fps", metavar="N", help="frame rate of the output (default: the clip's)")
    parser.add_argument(
        "--size",
        metavar="WxH",
        help="image size (default: the camera's); odd sides of a video grow by one pixel",
    )
    parser.add_argument(
        "--layers", type=_positive, metavar="N",
        help="use only the first N quality layers of the weights, as during progressive loading "
        "('dynerf info' lists them; default: all)",
    )  # fmt: skip
    parser.add_argument("--depth", action="store_true", help="show distance instead of colour; near is white")
    _add_device(parser)
    parser.set_defaults(
        run=decode.run,
        imports=(
            "dynerf_decoder.clip.clip",
            "dynerf_decoder.video.frame_writer",
            "dynerf_decoder.cameras.paths",
        ),
    )


def _add_eval(commands: "Subparsers[Parser]") -> None:
    parser = _command(commands, "eval", "measure a clip against its capture", help_texts.EVAL)
    _add_clip(parser)
    parser.add_argument("capture", type=_local, metavar="CAPTURE", help="the folder it was encoded from")
    parser.add_argument(
        "--views", metavar="A,B", help="cameras to compare (default: the held-out ones, or all if none is)"
    )
    parser.add_argument(
        "--every", type=_positive, default=1, metavar="N", help="compare every N-th frame (default: 1)"
    )
    parser.add_argument(
        "--layers", type=_positive, metavar="N",
        help="use only the first N quality layers ('dynerf info' lists them; default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--lpips-weights", type=Path, metavar="FILE",
        help="compute LPIPS with these weights, a safetensors file (docs/reference/metrics.md)",
    )  # fmt: skip
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write DIR/index.html, a single self-contained file"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    _add_device(parser)
    parser.set_defaults(
        run=evaluate.run, imports=("dynerf_decoder.clip.clip", "dynerf_encoder.evaluation.evaluate")
    )


def _add_info(commands: "Subparsers[Parser]") -> None:
    parser = _command(commands, "info", "describe a .dnv file", help_texts.INFO)
    _add_clip(parser)
    parser.add_argument(
        "--check", action="store_true",
        help="read the whole file and verify every checksum ('dynerf verify' also decodes)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.set_defaults(run=info.run)


def _add_cut(commands: "Subparsers[Parser]") -> None:
    parser = _command(commands, "cut", "extract frames of a clip as a new clip", help_texts.CUT)
    _add_clip(parser)
    parser.add_argument("--frames", metavar="A:B", required=True, help="keep frames A to B-1")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="PART.dnv", help="the file to write"
    )
    parser.set_defaults(run=splice.cut)


def _add_join(commands: "Subparsers[Parser]") -> None:
    parser = _command(commands, "join", "concatenate consecutive clips", help_texts.JOIN)
    parser.add_argument(
        "clips",
        type=_local,
        nargs="+",
        metavar="CLIP.dnv",
        help="local files: clips of one capture, in temporal order",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="ALL.dnv", help="the file to write"
    )
    parser.set_defaults(run=splice.join)


def _add_verify(commands: "Subparsers[Parser]") -> None:
    parser = _command(commands, "verify", "check every byte of a .dnv file", help_texts.VERIFY)
    _add_clip(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.set_defaults(run=verify.run)


def _add_repair(commands: "Subparsers[Parser]") -> None:
    parser = _command(commands, "repair", "recover the intact part of a damaged .dnv file", help_texts.REPAIR)
    parser.add_argument(
        "clip", type=_local, metavar="CLIP.dnv", help="the damaged file; local, and not modified"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.dnv", help="the file to write"
    )
    parser.set_defaults(run=repair.run)


def _add_serve(commands: "Subparsers[Parser]") -> None:
    parser = _command(commands, "serve", "watch clips in a browser", help_texts.SERVE)
    parser.add_argument(
        "path", type=_local, metavar="FILE_OR_FOLDER", help="a .dnv file, or a folder of them"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 accepts other machines (default: 127.0.0.1, this machine only)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=_port, default=8080, metavar="N", help="port; 0 chooses a free one (default: 8080)"
    )
    _add_device(parser)
    parser.add_argument(
        "--render-sessions", type=_positive, default=4, metavar="N",
        help="how many viewers and downloads of videos are rendered for at once (default: 4)",
    )  # fmt: skip
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate chain (PEM), for https")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key (PEM)")
    _add_origins(parser)
    parser.add_argument(
        "--token", nargs="?", const="", metavar="TEXT",
        help="require the printed address, which contains this token (default: a random one; place it after "
        "FILE_OR_FOLDER)",
    )  # fmt: skip
    parser.set_defaults(run=serve.run, imports=("dynerf_player.library.local", "dynerf_player.server.app"))


def _add_play(commands: "Subparsers[Parser]") -> None:
    parser = _command(commands, "play", "watch one clip, local or remote", help_texts.PLAY)
    parser.add_argument(
        "clip", type=parse_location, metavar="FILE_OR_URL", help="a .dnv file, or its address"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the page's address")
    parser.add_argument(
        "--port", type=_port, default=0, metavar="N", help="port of the page (default: 0, a free one)"
    )
    _add_device(parser)
    _add_origins(parser)
    parser.set_defaults(run=play.run, imports=("dynerf_player.library.local", "dynerf_player.server.app"))


def _add_clip(parser: Parser) -> None:
    parser.add_argument(
        "clip",
        type=parse_location,
        metavar="CLIP.dnv",
        help="a file that 'dynerf encode' wrote, or its address",
    )


def _add_device(parser: Parser) -> None:
    parser.add_argument(
        "--device", choices=_DEVICES, default="auto", help="where to compute (default: cuda if available)"
    )


def _local(text: str) -> Path:
    """A local path, for commands that do not accept an address."""
    location = parse_location(text)
    if isinstance(location, str):
        raise argparse.ArgumentTypeError(
            "found an address, expected a file or folder on this machine: download it first"
        )
    return location


def _add_origins(parser: Parser) -> None:
    parser.add_argument(
        "--allow-origin", action="append", default=[], metavar="ORIGIN",
        help="the origin at which browsers reach this server, such as https://films.example, when it is not "
        "this machine's own name or IP address: that of a proxy or a tunnel, or a name in the local network; "
        "also another site whose pages may use this server; may be repeated; * for all",
    )  # fmt: skip


def _positive(text: str) -> int:
    return _integer(text, 1, 10**6)


def _port(text: str) -> int:
    return _integer(text, 0, 65535)


def _keyframes(text: str) -> str:
    return text if text == "auto" else str(_integer(text, 1, 10**6))


def _threads(text: str) -> int:
    return _integer(text, 1, _MAX_THREADS)


def _seed(text: str) -> int:
    return _integer(text, 0, 2**32 - 1)


def _quality(text: str) -> int:
    return _integer(text, 1, 10)


def _shares(text: str) -> tuple[float, ...]:
    return _quantity(parse_shares, text)


def _size(text: str) -> int:
    return _quantity(parse_size, text)


def _quantity(parse: Callable[[str], _T], text: str) -> _T:
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"found {text[:40]!r}, expected {error}") from None


def _integer(text: str, least: int, most: int) -> int:
    if _INTEGER.fullmatch(text) is None or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(
            f"found {text[:40]!r}, expected a whole number from {least} to {most}"
        )
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"found {text[:40]!r}, expected a number")
    return value


def _duration(text: str) -> float:
    seconds = _quantity(parse_duration, text)
    if seconds == 0:
        raise argparse.ArgumentTypeError(f"found {text[:40]!r}, expected a duration above 0")
    return float(seconds)


def _seconds(text: str) -> float:
    """Seconds of the clip; the range is checked once the clip is open."""
    try:
        return float(parse_duration(text))
    except ValueError:
        return _number(text)
