"""Encodes small enough for tests, and a process whose children can be killed at a given function call.

The scene is a wall with a pattern and a bright spot that moves over it, seen by cameras side by side; the
first of them (held out by default) is between the others.
"""

import atexit
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from dynerf_decoder.cameras.camera import Camera, pixel_directions
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.config.overrides import apply_assignments
from dynerf_encoder.config.presets import preset
from dynerf_encoder.config.schema import Config, FieldKind
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.jobs.encode_segment import encode_segment
from dynerf_encoder.jobs.job import EncodeResult, Job
from dynerf_encoder.training.trainer import StepReport
from dynerf_format import FileSource, Header, Reader
from dynerf_format.frame_range import FrameRange
from support.no_flush import no_flush
from support.shared import made_once
from support.video import ROOT, pose_row, write_video

if TYPE_CHECKING:
    import pytest

FRAMES, WIDTH, HEIGHT = 5, 24, 16
STEPS = 24
_CAMERA_X = (0.0, -1.0, 1.0, -0.5, 0.5)
_WALL, _NEAR, _FAR = -4.0, 2.0, 8.0

TINY = (
    "planes.scales=8,12", "planes.basis=2,0", "planes.latent=4", "planes.hidden=16",
    "planes.view_hidden=8", "planes.coarse_scale=8", "planes.coarse_basis=2", "planes.coarse_hidden=8",
    "mlp.latent=8", "mlp.width=32", "mlp.depth=3", "mlp.skip=1",
    "mlp.position_frequencies=4", "mlp.direction_frequencies=1",
    "sampling.coarse=8", "sampling.fine=6",
    "optimiser.total_variation=0.01",  # the command would make it larger for few cameras
    "schedule.keyframe_interval=3", "schedule.keyframe_steps=6", "schedule.isg_steps=12",
    "schedule.ist_steps=6", "schedule.rays=96", "schedule.frames_per_step=2",
    "quantisation.group=2", "quantisation.grid=8", "optimiser.warm_up=0", "layers.budget=1",
)  # fmt: skip
"""A training of STEPS steps that takes well under a second."""


def tiny_config(*assignments: str, kind: FieldKind = "planes") -> Config:
    """The preview preset with tiny sizes, changed by ``assignments``."""
    return apply_assignments(preset("preview", kind), (*TINY, *assignments))


def scene_poses(cameras: int) -> list[np.ndarray]:
    """Cameras on a line that look straight at the wall, cam00 in the middle."""
    return [np.array([[1.0, 0, 0, x], [0, 1, 0, 0.1 * x], [0, 0, 1, 0]]) for x in _CAMERA_X[:cameras]]


def scene_pictures(pose: np.ndarray, frames: int, width: int, height: int) -> np.ndarray:
    """The pictures of a camera at ``pose``, uint8 (frame, height, width, 3)."""
    camera = Camera("", width, height, float(width), float(width), width / 2, height / 2, pose)
    rows, columns = np.mgrid[:height, :width] + 0.5
    directions = pixel_directions(camera, columns.reshape(-1), rows.reshape(-1))
    x, y, _ = (camera.origin + directions * ((_WALL - pose[2, 3]) / directions[:, 2:])).T
    wall = 0.5 + 0.4 * np.stack([np.sin(2 * x), np.cos(3 * y + 1), np.sin(x + 2 * y)], axis=-1)
    pictures = []
    for frame in range(frames):
        spot = np.exp(-((x - 0.5 * frame + 1) ** 2 + (y - 0.2) ** 2) / 0.3)[:, None]
        colours = wall * (1 - spot) + spot * np.array([1.0, 0.9, 0.1])
        pictures.append((255 * colours).round().astype(np.uint8).reshape(height, width, 3))
    return np.stack(pictures)


def write_scene(
    folder: Path, *, cameras: int = 4, frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT
) -> Path:
    """A capture of the scene, cam00 to cam03 by default."""
    folder.mkdir(parents=True)
    poses = scene_poses(cameras)
    for index, pose in enumerate(poses):
        pictures = scene_pictures(pose, frames, width, height)
        write_video(folder / f"cam{index:02d}.mp4", pictures, pixel_format="yuv444p")
    np.save(
        folder / "poses_bounds.npy", [pose_row(pose, height, width, width, _NEAR, _FAR) for pose in poses]
    )
    return folder


def scene_store(folder: Path, **sizes: int) -> FrameStore:
    """The pictures of a scene, ready for training."""
    capture = write_scene(folder / "scene", **sizes)
    return FrameStore.build(read_n3v(capture), folder / "frames", frames=FrameRange())


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: results then depend only on the input."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class Notes:
    """A watcher that records all calls."""

    messages: list[str] = field(default_factory=list)
    progress_calls: list[tuple[str, int, int]] = field(default_factory=list)
    reports: list[StepReport] = field(default_factory=list)
    validations: list[float] = field(default_factory=list)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def progress(self, what: str, done: int, total: int) -> None:
        self.progress_calls.append((what, done, total))

    def trained(self, report: StepReport) -> None:
        self.reports.append(report)

    def validated(self, report: StepReport, held_out_psnr: float) -> None:
        self.validations.append(held_out_psnr)


def tiny_job(capture: Path, output: Path, *assignments: str, **options: Any) -> Job:
    """A job with cam00 held out; ``options`` are fields of Job."""
    config = options.pop("config", None) or tiny_config(*assignments)
    return Job(capture, output, config, **{"hold_out": ("cam00",), **options})


def tiny_encode(job: Job, notes: Notes | None = None) -> EncodeResult:
    """Encode on one thread in this process."""
    with one_thread():
        return encode_segment(job, notes or Notes())


def shared_clip(factory: "pytest.TempPathFactory") -> Path:
    """The plain tiny encode ``clip.dnv``, made once for all tests, beside its capture ``scene``."""

    def make(folder: Path) -> None:
        tiny_encode(tiny_job(write_scene(folder / "scene"), folder / "clip.dnv"))

    return made_once(factory, "clip", make) / "clip.dnv"


def contents(path: Path) -> tuple[Header, list[bytes]]:
    """The header of a clip, and the decoded payloads of its chunks."""
    with FileSource(path) as source:
        reader = Reader(source)
        return reader.header, [reader.read_chunk(entry) for entry in reader.directory]


def encode_arguments(capture: Path, output: Path, *more: str) -> list[str]:
    """The command line of the tiny encode, without the program's name."""
    settings = [word for text in TINY for word in ("--set", text)]
    base = ["encode", str(capture), "-o", str(output), "--preset", "preview", "--device", "cpu"]
    return [*base, "--threads", "1", *settings, *more]


@dataclass(frozen=True)
class Strike:
    """Send ``number`` to the process at the ``call``-th call (from 1) of a function, before or after it.

    ``target`` is ``module:name`` or ``module:class.name``.
    """

    target: str
    call: int = 1
    number: int = signal.SIGKILL
    after: bool = False

    def arm(self) -> None:
        """Wrap the function."""
        module, _, name = self.target.partition(":")
        *outer, last = name.split(".")
        owner = functools.reduce(getattr, outer, importlib.import_module(module))
        function: Callable[..., object] = getattr(owner, last)
        calls = 0

        @functools.wraps(function)
        def struck(*arguments: Any, **named: Any) -> object:
            nonlocal calls
            calls += 1
            if calls == self.call and not self.after:
                os.kill(os.getpid(), self.number)
            result = function(*arguments, **named)
            if calls == self.call and self.after:
                os.kill(os.getpid(), self.number)
            return result

        setattr(owner, last, struck)


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status, or minus the signal that killed it."""

    status: int
    stdout: str
    stderr: str


class Forks:
    """A process that has loaded torch and forks a child for each command: loading takes seconds each time.

    The children run ``dynerf.cli.main.main``, which is all of ``python -m dynerf`` except its start.
    """

    _MOST_SECONDS = 120

    def __init__(self) -> None:
        packages = [str(ROOT / package) for package in ("encoder", "decoder", "format", ".", "tests")]
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from support.encoding import serve; serve()"],
            env={
                **os.environ, "PYTHONPATH": os.pathsep.join(packages), "OMP_WAIT_POLICY": "PASSIVE",
                "RAY_USAGE_STATS_ENABLED": "0",
            },
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    @classmethod
    @functools.cache
    def shared(cls) -> Self:
        """The one that all test modules use; it ends with the tests."""
        forks = cls()
        atexit.register(forks.close)
        return forks

    def run(
        self, arguments: Sequence[str], *strikes: Strike, every: float = 0.0, folder: Path | None = None
    ) -> Ended:
        """Run one command with a checkpoint every ``every`` seconds (0: after each step)."""
        command = {
            "arguments": list(arguments),
            "strikes": [[s.target, s.call, int(s.number), s.after] for s in strikes],
            "every": every,
            "seconds": self._MOST_SECONDS,
            "folder": str(folder or Path.cwd()),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def serve() -> None:
    """The process behind ``Forks``: one JSON line in and out for each command."""
    import dynerf.cli.main  # noqa: F401

    os.fsync = no_flush
    with tempfile.TemporaryDirectory() as name:  # loads torch and all kernels for the children
        folder = Path(name)
        tiny_encode(tiny_job(write_scene(folder / "scene"), folder / "clip.dnv"))
    for line in sys.stdin:
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            child = os.fork()
            if child == 0:
                _run_in_child(json.loads(line), stdout.fileno(), stderr.fileno())
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            texts = []
            for file in (stdout, stderr):
                file.seek(0)
                texts.append(file.read().decode())
        sys.stdout.write(json.dumps({"status": status, "stdout": texts[0], "stderr": texts[1]}) + "\n")
        sys.stdout.flush()


def _run_in_child(command: dict[str, Any], stdout: int, stderr: int) -> None:
    """In the child: run the command and exit."""
    import traceback

    import dynerf.cli.main
    import dynerf_encoder.jobs.training_run

    status = 1
    try:
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.chdir(command["folder"])
        signal.alarm(command["seconds"])
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have ignored it
        dynerf_encoder.jobs.training_run._CHECKPOINT_SECONDS = command["every"]
        dynerf_encoder.jobs.training_run._CHECKPOINT_RATE = float("inf")
        for target, call, number, after in command["strikes"]:
            Strike(target, call, number, after).arm()
        status = dynerf.cli.main.main(command["arguments"])
    except SystemExit as error:
        status = int(error.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
