"""Implements ``dynerf calibrate``."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from dynerf.arguments import values
from dynerf.arguments.command import Command
from dynerf.console.progress import ProgressDisplay, print_result, say
from dynerf_format.errors import ConfigError

if TYPE_CHECKING:
    from dynerf_encoder.calibration.options import CalibrationOptions
    from dynerf_encoder.calibration.outcome import Outcome


def run(options: argparse.Namespace) -> int:
    """Calibrate, and print a table of the cameras and the verdict."""
    return _calibrate(_options(options))


def calibrate_without_poses(folder: Path, seed: int, threads: int | None, *, resume: bool) -> None:
    """Calibrate a folder with the defaults, unless it states poses in any layout; ``resume`` continues."""
    from dynerf_encoder.calibration.correspondences import default_threads
    from dynerf_encoder.calibration.options import CalibrationOptions
    from dynerf_encoder.captures.layouts.detect import LAYOUTS

    if not folder.is_dir() or any(layout.find(folder) for layout in LAYOUTS.values()):
        return
    if "RANK" in os.environ:
        raise ConfigError(
            "--calibrate: run 'dynerf calibrate' before torchrun, which starts several processes"
        )
    output = folder / "capture.json"
    threads = threads or default_threads()
    _calibrate(CalibrationOptions(folder, output, seed=seed, threads=threads, resume=resume))


def _calibrate(chosen: "CalibrationOptions") -> int:
    from dynerf_encoder.calibration.calibrate import calibrate

    with ProgressDisplay() as tasks:
        try:
            outcome = calibrate(chosen, tasks.progress)
        except KeyboardInterrupt:
            tasks.stop()
            say("stopped; the same command with --resume continues")
            raise
    for name, why in outcome.footage.dropped.items():
        say(f"{name} is not used: {why}")
    print_result(_table(outcome))
    say(f"{chosen.output} and {outcome.report}: written")
    return 0


def _options(options: argparse.Namespace) -> "CalibrationOptions":
    from dynerf_encoder.calibration.correspondences import default_threads
    from dynerf_encoder.calibration.options import CalibrationOptions, parse_scale

    return CalibrationOptions(
        options.folder,
        options.output or options.folder / "capture.json",
        lens=options.lens,
        focal=options.focal,
        same_lens=options.same_lens,
        sync=options.sync,
        scale=None if options.scale is None else parse_scale(options.scale),
        export=tuple(dict.fromkeys(options.export)),
        seed=options.seed,
        times=_times(options.frames),
        threads=options.threads or default_threads(),
        resume=options.resume,
    )


def _times(text: str) -> int | tuple[int, ...]:
    """``6``: that many, spread over the clip; ``0,15,30``: these."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() and len(part) < 9 for part in parts):
        raise ConfigError(f"--frames {text[:40]!r}, expected a number such as 6, or frames such as 0,15,30")
    numbers = tuple(int(part) for part in parts)
    return numbers[0] if len(numbers) == 1 else numbers


def _table(outcome: "Outcome") -> str:
    lines = [
        f"{'camera':<12}{'points':>8}{'error px':>10}{'explained':>11}{'confirmed':>11}{'offset':>9}  note"
    ]
    for name in outcome.solution.names:
        quality, offset = outcome.qualities[name], outcome.sync.offsets.get(name)
        frames = "assumed 0" if offset is None else "unknown" if offset.frames is None else str(offset.frames)
        note = ["pose doubtful"] if quality.doubtful else []
        note += (
            [f"offset by {offset.method}, {offset.confidence}"]
            if offset and offset.frames is not None
            else []
        )
        lines.append(
            f"{name:<12}{quality.observations:>8}{quality.reprojection:>10.2f}{quality.explained:>11.0%}"
            f"{quality.confirmed:>6} of {quality.solutions:<2}{frames:>9}  {', '.join(note)}"
        )
    lines += [f"{name:<12}no pose" for name in outcome.missing]
    return "\n".join([*lines, str(outcome.verdict)])


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=values.local_path,
        metavar="FOLDER",
        help="videos, or folders of pictures, one per camera",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="capture.json",
        help="the file to write, beside the videos or above them (default: FOLDER/capture.json)",
    )  # fmt: skip
    parser.add_argument(
        "--lens", choices=("pinhole", "radial", "opencv", "fisheye"), default="pinhole",
        help="the lens model whose distortion is estimated (default: pinhole, without distortion)",
    )  # fmt: skip
    parser.add_argument(
        "--focal", type=values.number, metavar="PX", help="the focal length in pixels, where it is known"
    )
    parser.add_argument(
        "--same-lens", choices=("yes", "no", "per-folder"), default="yes",
        help="whether cameras with pictures of one size share focal length and distortion (default: yes)",
    )  # fmt: skip
    parser.add_argument(
        "--sync", choices=("auto", "timecode", "sound", "motion", "none"), default="auto",
        help="how offsets in time are found; none: the cameras were synchronised (default: auto)",
    )  # fmt: skip
    parser.add_argument(
        "--scale", metavar="METRES:camA,camB", help="the distance between two cameras, for a world in metres"
    )
    parser.add_argument(
        "--export", choices=("llff", "nerfstudio"), action="append", default=[],
        help="also write poses_bounds.npy or transforms.json; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--frames", default="6", metavar="N|A,B,C",
        help="how many frames to match pictures at, or which ones (default: 6, spread over the clip)",
    )  # fmt: skip
    parser.add_argument("--seed", type=values.seed, default=0, metavar="N", help="random seed (default: 0)")
    parser.add_argument(
        "--threads", type=values.threads, metavar="N", help="processes at once (default: all cores)"
    )
    parser.add_argument("--resume", action="store_true", help="continue an interrupted calibration")


COMMAND = Command(
    name="calibrate",
    summary="find poses, lenses and offsets of a folder of videos",
    description="""\
Estimate each camera's pose and lens from the pictures of videos that show one
scene, and by how many frames each video starts before the others. Cameras
stand still, neighbours at most about 30 degrees apart, and the scene has
texture. Nothing needs to be known of the cameras.

Writes capture.json beside the videos, which 'dynerf encode FOLDER' reads, the
points of the scene (capture_points.ply), and capture_report.html. Several
subsets of frames are solved; what they agree on is kept, and cameras that
differ are named as doubtful. Exit status 2 when most of the rig is doubtful.

Offsets in time come from timecodes, sound or motion, in this order, each
checked by the next; an offset that nothing determines is unknown.

Ctrl-C keeps what --resume continues from, in capture.work. Needs pycolmap:
pip install 'dynerf[calibrate]'.
""",
    examples="""\
examples:
  dynerf calibrate recording
  dynerf calibrate recording --lens radial --sync sound
  dynerf calibrate recording --scale 1.25:cam00,cam05 --export llff
  dynerf calibrate recording && dynerf encode recording -o clip.dnv
""",
    add_arguments=_add_arguments,
    run=run,
    imports=("dynerf_encoder.calibration.calibrate",),
)
