"""Calibrates captures whose poses are known, and compares: poses, focal length, offsets in time.

    python benchmarks/calibration.py poses samples/candle --seeds 0,1,2
    python benchmarks/calibration.py poses samples/candle --double --seeds 0,1,2
    python benchmarks/calibration.py poses DOME --frames 0,15,30,45 --frames 7,30,45,52
    python benchmarks/calibration.py offsets DOME --frames 0,15,30,45 --draws 5

A capture is a folder in the N3V layout; its poses serve for the comparison only. Rotations are compared after
turning the recovered rig as a whole, centres after a similarity, as a share of the largest distance between
two cameras. Pictures and features are kept in ``--work`` and used again.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from dynerf_encoder.calibration.agreement import extent
from dynerf_encoder.calibration.colmap.problem import Solution
from dynerf_encoder.calibration.correspondences import default_threads, extract_features, match_times
from dynerf_encoder.calibration.footage import FootageSet, find_footage
from dynerf_encoder.calibration.gauge import in_gauge
from dynerf_encoder.calibration.lens_groups import lens_groups
from dynerf_encoder.calibration.motion_groups import motion_witness
from dynerf_encoder.calibration.options import CalibrationOptions
from dynerf_encoder.calibration.pairs.epipolar import Pose, angles, mean_rotation, similarity
from dynerf_encoder.calibration.rig import RigRequest, RigSolution, read_time, solve_rig
from dynerf_encoder.calibration.stills import StillFiles, choose_times, read_stills
from dynerf_encoder.calibration.synchronisation.motion import MovingView, motion_scores
from dynerf_encoder.calibration.synchronisation.offsets import joint_offsets
from dynerf_encoder.calibration.synchronise import moving_view
from dynerf_encoder.calibration.verdict import camera_qualities
from dynerf_encoder.calibration.work_folder import FOLDERS
from dynerf_encoder.captures.layouts.n3v import read_n3v

_WRONG = 1.5  # degrees
_MOST_OFFSET = 14  # frames between two cameras: -7 to 7 each


@dataclass(frozen=True, eq=False)
class Errors:
    """Of every camera: degrees, percent of the rig's extent; of the lens: percent of the focal length."""

    names: tuple[str, ...]
    degrees: np.ndarray
    centres: np.ndarray
    focal: float

    def __str__(self) -> str:
        return (
            f"{len(self.names)} cameras, rotation {np.median(self.degrees):.2f}/{self.degrees.max():.2f} deg,"
            f" centre {np.median(self.centres):.2f}/{self.centres.max():.2f} %, focal {self.focal:+.2f} %"
        )


def compare(solution: Solution, capture: Path, enlarged: int) -> Errors:
    """Errors of a solution against a capture's pose file; its pictures were enlarged before."""
    views = {view.name: view for view in read_n3v(capture).views}
    true = [Pose.of_camera_to_world(views[name].camera.camera_to_world) for name in solution.names]
    found = np.stack([pose.rotation for pose in solution.poses])
    rotations = np.stack([pose.rotation for pose in true])
    turn = mean_rotation(np.swapaxes(rotations, 1, 2) @ found)
    degrees = angles(found @ turn.T @ np.swapaxes(rotations, 1, 2))
    centres, target = (np.stack([pose.centre for pose in poses]) for poses in (solution.poses, true))
    scale, shift = similarity(centres, target, turn)
    distances = 100 * np.linalg.norm(scale * centres @ turn.T + shift - target, axis=1) / extent(true)
    focal = np.median([
        100 * (lens.focal_x / (enlarged * views[name].camera.focal_x) - 1)
        for name, lens in zip(solution.names, solution.lenses, strict=True)
    ])  # fmt: skip
    return Errors(solution.names, degrees, distances, float(focal))


def double(capture: Path, folder: Path) -> Path:
    """A copy of a capture's videos with pictures of twice the size (Lanczos), without poses."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(capture.glob("cam*.mp4")):
        target = folder / source.name
        if target.exists():
            continue
        with av.open(str(source)) as read, av.open(str(target), "w") as written:
            stream = read.streams.video[0]
            out = written.add_stream(
                "libx264", rate=stream.average_rate or Fraction(30), options={"crf": "12"}
            )
            out.width, out.height, out.pix_fmt = 2 * stream.width, 2 * stream.height, "yuv420p"
            for frame in read.decode(video=0):
                larger = frame.reformat(out.width, out.height, interpolation="LANCZOS")
                written.mux(out.encode(av.VideoFrame.from_ndarray(larger.to_ndarray(format="rgb24"))))
            written.mux(out.encode())
    return folder


class Recording:
    """A folder of videos with its pictures and features, read once for all runs."""

    def __init__(self, folder: Path, times: Sequence[int], work: Path, threads: int) -> None:
        for name in FOLDERS:
            (work / name).mkdir(parents=True, exist_ok=True)
        self.folder, self.work, self.threads = folder, work, threads
        self.footage: FootageSet = find_footage(folder, _quiet)
        self.stills: dict[str, StillFiles] = read_stills(self.footage, times, work, _quiet)[0]
        self.features = extract_features(self.stills, work, threads, _quiet)

    def solve(self, times: Sequence[int], seed: int) -> RigSolution:
        """Match and solve some of the times."""
        matched = match_times(self.footage.cameras, self.features, self.work, 0, self.threads, _quiet)
        options = CalibrationOptions(self.folder, self.work / "capture.json", seed=seed)
        groups, group = lens_groups(options, self.footage.cameras)
        work = self.work / f"seed{seed}_{'_'.join(map(str, times))}"
        (work / "solutions").mkdir(parents=True, exist_ok=True)
        found = [
            read_time({name: files[time] for name, files in self.features.items()}, matched[time])
            for time in times
        ]
        return solve_rig(
            RigRequest(groups, group, seed, work, self.threads, motion_witness(self.stills)), found, _quiet
        )


def poses(options: argparse.Namespace) -> None:
    """Print the errors of every choice of frames and every seed."""
    recording, choices = _recording(options)
    for times in choices:
        for seed in options.seeds:
            started = time.monotonic()
            rig = recording.solve(times, seed)
            errors = compare(rig.solution, options.capture, 2 if options.double else 1)
            quality = camera_qualities(rig.solution, rig.agreement, rig.matches, rig.motion)
            doubtful = {name for name, found in quality.items() if found.doubtful}
            wrong = {name for name, off in zip(errors.names, errors.degrees, strict=True) if off > _WRONG}
            print(
                f"frames {','.join(map(str, times))} seed {seed}: {errors}, {rig.mapper}, "
                f"{rig.agreement.aligned} of {rig.agreement.solutions} solutions agree; wrong "
                f"{sorted(wrong)}, doubtful {sorted(doubtful)}, wrong and not named "
                f"{sorted(wrong - doubtful)}, {time.monotonic() - started:.0f} s"
            )


def offsets(options: argparse.Namespace) -> None:
    """Print how many offsets are found with recovered poses, of random starts of every camera."""
    recording, choices = _recording(options)
    solution = in_gauge(recording.solve(choices[0], options.seeds[0]).solution, None)
    views = [moving_view(name, recording.stills, solution) for name in solution.names]
    for draw in range(options.draws):
        starts = np.random.default_rng(draw).integers(0, _MOST_OFFSET + 1, len(views))
        cut = [
            MovingView(view.pictures[start:], view.centre, view.rays)
            for view, start in zip(views, starts, strict=True)
        ]
        found = joint_offsets(len(cut), motion_scores(cut))
        errors = np.array(found.whole) + starts
        right = errors == np.median(errors)
        clear = np.array(found.clear)
        print(
            f"draw {draw}: {right.sum()} of {len(views)} exact, {(~clear).sum()} unknown, wrong and "
            f"confident {(~right & clear).sum()}; least margin {min(found.margins):.1f}"
        )


def _recording(options: argparse.Namespace) -> tuple[Recording, list[tuple[int, ...]]]:
    work = options.work / (options.capture.name + ("_double" if options.double else ""))
    folder = double(options.capture, work / "videos") if options.double else options.capture
    frames = find_footage(folder, _quiet).frames
    choices = [tuple(int(t) for t in text.split(",")) for text in options.frames] or [choose_times(frames, 6)]
    times = sorted({t for choice in choices for t in choice})
    return Recording(folder, times, work, options.threads), choices


def _quiet(*_counts: object) -> None:
    pass


def main() -> None:
    """Run one of the benchmarks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("poses", "offsets"))
    parser.add_argument("capture", type=Path)
    parser.add_argument("--frames", action="append", default=[], help="a choice of frames; may be repeated")
    parser.add_argument("--seeds", type=lambda text: [int(s) for s in text.split(",")], default=[0])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--double", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("out/calibration"))
    parser.add_argument("--threads", type=int, default=default_threads())
    options = parser.parse_args()
    poses(options) if options.what == "poses" else offsets(options)


if __name__ == "__main__":
    main()
