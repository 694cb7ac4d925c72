"""Implements ``dynerf convert``: writes the cameras of a capture in another layout."""

import argparse
from pathlib import Path

from dynerf.arguments import values
from dynerf.arguments.command import Command
from dynerf.arguments.shared import add_layout
from dynerf.console.progress import print_result, say


def run(options: argparse.Namespace) -> int:
    """Read the capture, write its cameras, and print the paths of the files."""
    from dynerf_encoder.captures.layouts.convert import convert, not_stated
    from dynerf_encoder.captures.layouts.detect import read_recording
    from dynerf_encoder.captures.opening import open_capture

    recording = read_recording(options.capture, options.layout)
    capture = open_capture(recording)
    for note in capture.notes:
        say(note)
    folder = options.capture if options.capture.is_dir() else options.capture.parent
    for path in convert(recording, capture, options.to, options.output or folder):
        print_result(str(path))
    if missing := not_stated(recording, options.to):
        say(missing)
    return 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "capture", type=values.local_path, metavar="CAPTURE", help="a folder with videos and poses"
    )
    parser.add_argument(
        "--to", required=True, choices=("llff", "nerfstudio", "colmap", "capture"), help="the layout to write"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR",
        help="the folder to write to, which holds the videos, itself or in its folders (default: CAPTURE)",
    )  # fmt: skip
    add_layout(parser)


COMMAND = Command(
    name="convert",
    summary="write the cameras of a capture in another layout",
    description="""\
Read a capture of any layout and write its cameras in another one, beside the
videos, which stay as they are: poses_bounds.npy (llff), transforms.json
(nerfstudio), sparse/0/*.txt (colmap) or capture.json (capture). Existing files
are not replaced. LLFF states neither distortion nor off-centre principal
points; only capture.json and transforms.json state offsets between cameras.
""",
    examples="""\
examples:
  dynerf convert capture --to nerfstudio
  dynerf convert capture --layout colmap --to capture
""",
    add_arguments=_add_arguments,
    run=run,
)
