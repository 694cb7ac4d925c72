"""Implements ``dynerf repair``: recovers the intact part of a damaged file. Does not import torch."""

import argparse
import os

from dynerf.console.progress import say
from dynerf_format import FileSource, OutputError, repair_clip


def run(options: argparse.Namespace) -> int:
    """Write the intact chunks before the damage to another file, and report what was lost."""
    if os.path.realpath(options.clip) == os.path.realpath(options.output):
        raise OutputError(f"{options.output}: is the file to repair, expected another name")
    with FileSource(options.clip) as source:
        repair = repair_clip(source, options.output)
    say(f"{options.output}: {repair.chunks} chunks, {repair.frames} frames; {repair.reason}")
    if repair.frames_lost or repair.bytes_lost:
        say(f"lost: {repair.frames_lost} frames, {repair.bytes_lost:,} bytes of chunks")
    else:
        say("nothing was lost")
    return 0
