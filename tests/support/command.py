"""Runs the command in this process, and writes a tiny scene for it to encode.

Loading torch takes seconds, so only tests of signals and memory limits start a process.
"""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from dynerf.cli.main import main
from support.video import example_rows, write_video

FRAMES, WIDTH, HEIGHT = 6, 32, 24
CAMERAS = ("cam00", "cam02", "cam05")
SETTINGS = (
    "planes.scales=8,12", "planes.basis=2,0", "planes.coarse_scale=12", "planes.coarse_basis=2",
    "schedule.scale=0.02", "schedule.rays=512", "sampling.coarse=12", "sampling.fine=8",
    "quantisation.grid=8",
)  # fmt: skip
TINY = ("--device", "cpu", "--threads", "1", *(word for text in SETTINGS for word in ("--set", text)))


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str


def run(*arguments: object) -> Ran:
    """Run ``dynerf`` with some arguments on the CPU. Unhandled exceptions are raised: they are bugs."""
    words = [str(argument) for argument in arguments]
    if words[:1] in (["decode"], ["eval"]):
        words += ["--device", "cpu"]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as error:  # how argparse ends
            status = int(error.code or 0)
    return Ran(status, out.getvalue(), err.getvalue())


def done(*arguments: object) -> Ran:
    """Run a command that must succeed."""
    ran = run(*arguments)
    assert ran.status == 0, ran.err
    return ran


def refused(*arguments: object, folder: Path) -> str:
    """Run a command that must be refused, in one line, and leave ``folder`` as it was; return the line."""
    before = listing(folder)
    ran = run(*arguments)
    assert (ran.status, ran.out) == (2, ""), ran
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.startswith("dynerf"), ran.err
    assert listing(folder) == before
    return ran.err


def listing(folder: Path) -> list[str]:
    """All paths below a folder, including hidden files."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def write_scene(folder: Path, cameras: tuple[str, ...] = CAMERAS, frames: int = FRAMES) -> Path:
    """A capture whose frames get brighter over time, with a gradient that differs between the cameras."""
    folder.mkdir(parents=True)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for index, name in enumerate(cameras):
        shape = 3 * rows[..., None] + (1 + index) * columns[..., None] * np.array([1, 0.5, 0.1])
        pictures = [(20 + 18 * frame + shape).clip(0, 255).astype(np.uint8) for frame in range(frames)]
        write_video(folder / f"{name}.mp4", pictures)
    np.save(folder / "poses_bounds.npy", example_rows(len(cameras), WIDTH, HEIGHT))
    return folder


def change_poses(folder: Path, change: Callable[[np.ndarray], object]) -> None:
    """Rewrite the pose file after ``change`` altered its array in place, or returned another one."""
    path = folder / "poses_bounds.npy"
    rows = np.load(path)
    changed = change(rows)
    np.save(path, np.asarray(rows if changed is None else changed), allow_pickle=True)


def pictures(path: Path) -> np.ndarray:
    """All frames of a video, or the image of a PNG file: uint8 (frame, height, width, 3)."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def numbered(folder: Path) -> np.ndarray:
    """The PNG files of a folder in order: uint8 (frame, height, width, 3)."""
    return np.concatenate([pictures(path) for path in sorted(folder.glob("*.png"))])
