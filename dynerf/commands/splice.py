"""Implements ``dynerf cut`` and ``dynerf join``, without decoding frames or importing torch."""

import argparse
from pathlib import Path

from dynerf.api.opening import source_at
from dynerf.arguments import values
from dynerf.arguments.command import Command
from dynerf.arguments.shared import add_clip
from dynerf.console.progress import say
from dynerf_format import check_writable, cut_clip, join_clips
from dynerf_format.errors import ConfigError
from dynerf_format.frame_range import FrameRange


def cut(options: argparse.Namespace) -> int:
    """Extract frames of a clip as a new clip."""
    from dynerf_format import Reader

    _check_output(options.output)
    requested = FrameRange.parse(options.frames)
    with source_at(options.clip) as source:
        frames = requested.within(Reader(source).header.frames, source.name)
        size = cut_clip(source, frames.start, frames.stop, options.output)
    say(f"{options.output}: frames {frames.start}:{frames.stop}, {size / 1e6:.2f} MB")
    return 0


def join(options: argparse.Namespace) -> int:
    """Concatenate consecutive clips."""
    _check_output(options.output)
    size = join_clips(options.clips, options.output)
    say(f"{options.output}: {len(options.clips)} clips, {size / 1e6:.2f} MB")
    return 0


def _check_output(output: Path) -> None:
    check_writable(output)
    if output.suffix != ".dnv":
        raise ConfigError(f"{output}: the output is a .dnv file, expected a name that ends in .dnv")


def _add_cut_arguments(parser: argparse.ArgumentParser) -> None:
    add_clip(parser)
    parser.add_argument("--frames", metavar="A:B", required=True, help="keep frames A to B-1")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="PART.dnv", help="the file to write"
    )


def _add_join_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "clips",
        type=values.local_path,
        nargs="+",
        metavar="CLIP.dnv",
        help="local files: clips of one capture, in temporal order",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="ALL.dnv", help="the file to write"
    )


CUT = Command(
    name="cut",
    summary="extract frames of a clip as a new clip",
    description="""\
Write some frames of a clip as a new clip, without re-encoding: the stored
weights of every segment involved are copied, and the latents of exactly these
frames. The frames decode to the same values as before. From a clip at an
address only what is kept is fetched.
""",
    examples="""\
examples:
  dynerf cut clip.dnv --frames 300:900 -o part.dnv
  dynerf cut clip.dnv --frames :60 -o start.dnv
  dynerf cut https://example.org/clip.dnv --frames :60 -o start.dnv
""",
    add_arguments=_add_cut_arguments,
    run=cut,
)

JOIN = Command(
    name="join",
    summary="concatenate consecutive clips",
    description="""\
Concatenate clips of one capture without re-encoding. Each must start at the
frame of the recording where the previous one ends, with the same cameras,
space, field and sampling; a difference is reported by name. Clips at addresses
must be downloaded first.
""",
    examples="""\
examples:
  dynerf join first.dnv second.dnv -o both.dnv
  dynerf join parts/*.dnv -o all.dnv
""",
    add_arguments=_add_join_arguments,
    run=join,
)
