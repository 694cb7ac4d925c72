"""Implements ``dynerf cut`` and ``dynerf join``, without decoding frames or importing torch."""

import argparse
from pathlib import Path

from dynerf.api.opening import source_at
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
