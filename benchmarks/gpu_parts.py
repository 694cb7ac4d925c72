"""The parts of ``gpu.py``. Each returns plain values by name."""

import importlib.metadata
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

import dynerf
from bench import FRAME_STAGES, FULL, QUICK, Effort, timed
from dynerf_decoder.backends.triton import triton_marcher as march_triton
from dynerf_decoder.clip.async_copy import copy_frames
from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.fields.field import FoldedModel
from dynerf_decoder.fields.mlp import MlpModel, MlpSettings
from dynerf_decoder.render.frame import Frame, render_frame
from dynerf_decoder.scene.ray_sampling import Sampling
from dynerf_decoder.video.frame_writer import open_output
from dynerf_decoder.video.h264 import video_codec
from dynerf_encoder.config.presets import preset
from dynerf_encoder.jobs.encode_segment import encode_segment
from dynerf_encoder.jobs.job import Job
from dynerf_encoder.jobs.watcher import NullWatcher
from machine import describe_machine, measure_ceilings, now, peak_device_memory, peak_memory

ROOT = Path(__file__).resolve().parents[1]
CAPTURE = ROOT / "samples" / "candle"
_TARGETS = (28.35, 30.0)
_LIMITS = (10.0, 20.0, 40.0, 60.0)  # seconds of training, until the last target is reached
SMALL = MlpSettings(latent=32, depth=4, width=64, skip=2)
_MAX_FRAMES, _SECONDS_PER_SIZE = 30, 3.0

TimeLeft = Callable[[], float]


@dataclass(frozen=True)
class Bench:
    """Device, extent of the measurements, and the output folder."""

    device: str
    quick: bool
    folder: Path

    @property
    def torch_device(self) -> torch.device:
        return torch.device(self.device)

    @property
    def effort(self) -> Effort:
        return QUICK if self.quick else FULL

    @property
    def clip(self) -> Path:
        """The clip that ``quality`` encodes."""
        return self.folder / "clip.dnv"


def machine(bench: Bench) -> dict[str, Any]:
    """Name, ceilings, and which optional components are available."""
    codec = video_codec(bench.device == "cuda", 1352, 1014)
    return {
        "machine": describe_machine(bench.torch_device),
        "ceilings": {kind: asdict(each) for kind, each in measure_ceilings(bench.torch_device).items()},
        "triton": importlib.metadata.version("triton") if march_triton.has_triton() else "not installed",
        "movies": f"{codec.name} {codec.reason}".strip(),
    }


def tests(bench: Bench, seconds: float) -> dict[str, Any]:
    """Run the tests that need a GPU; ``quick`` only collects them."""
    extra = ["--collect-only"] if bench.quick else []
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", *extra, "tests"]
    try:
        ran = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=max(seconds, 1), check=False
        )
    except subprocess.TimeoutExpired:
        return {"failed": "did not end in time"}
    lines = (ran.stdout + ran.stderr).strip().splitlines()
    return {"status": ran.returncode, "last line": lines[-1] if lines else "", "failures": [
        line for line in lines if line.startswith(("FAILED", "ERROR"))
    ]}  # fmt: skip


def quality(bench: Bench, left: TimeLeft) -> dict[str, Any]:
    """Trainings of increasing length: held-out PSNR of all frames of cam00, and the time to each target.

    Each has a schedule of its own, at whose end the learning rate has decayed.
    """
    config = preset("preview" if bench.quick else "fast")
    found: dict[str, Any] = {}
    for limit in (4.0,) if bench.quick else _LIMITS:
        if left() < 1.5 * limit + 15 and found:
            found[f"{limit:g} s"] = "no time left"
            break
        job = Job(
            CAPTURE, bench.clip, config, hold_out=("cam00",), downscale=4 if bench.quick else 1,
            device=bench.device, time_limit=limit, cache=bench.folder / "work",
        )  # fmt: skip
        result = encode_segment(job, NullWatcher())
        psnr = -math.inf if result.psnr is None else result.psnr
        found[f"{limit:g} s"] = {
            "PSNR": psnr, "bytes": result.bytes, "steps": result.steps,
            "rays/s": result.steps * config.schedule.rays / result.training_seconds,
            "seconds": result.training_seconds,
        }  # fmt: skip
        for target in _TARGETS:
            if psnr >= target:
                found.setdefault(f"seconds to {target:g} dB", result.training_seconds)
        if psnr >= _TARGETS[-1]:
            break
    return found


def planes(bench: Bench, left: TimeLeft) -> dict[str, Any]:
    """Frames per second of the clip: reference, torch with early termination, Triton; and their agreement."""
    found: dict[str, Any] = {}
    with dynerf.open(bench.clip, device=bench.device) as clip:
        for size in bench.effort.sizes:
            if left() < 5:
                found[_name(size)] = "no time left"
                continue
            found[_name(size)] = _compared(clip, size)
    return found


def _compared(clip: Clip, size: tuple[int, int]) -> dict[str, Any]:
    camera = clip.cameras[0].with_size(*size)

    def rendered(frame: float, *, plain: bool = False) -> Frame:
        return clip.render(camera, frame=frame, plain=plain)

    reference = rendered(0.0, plain=True)
    found: dict[str, Any] = {
        "plain": {"fps": _rate(clip.device, lambda f: rendered(f, plain=True), clip.frames)}
    }
    variants = {"torch": False, "Triton": True}
    for name, triton in variants.items():
        if triton and not march_triton.can_use_triton(clip.device):
            found[name] = "not available"
            continue
        allowed = march_triton.can_use_triton if triton else lambda _device: False
        with patch.object(march_triton, "can_use_triton", allowed):
            agreement = _psnr(rendered(0.0), reference)
            found[name] = {"fps": _rate(clip.device, rendered, clip.frames), "agreement dB": agreement}
        if triton and march_triton.FAILURE.failed:
            found[name] = "failed, torch rendered instead"
    return found


def _rate(device: torch.device, render: Callable[[float], object], frames: int) -> float:
    """Median frames per second, synchronised after each frame; the first one is discarded."""
    render(0.0)
    times: list[float] = []
    while len(times) < 2 or (len(times) < _MAX_FRAMES and sum(times) < _SECONDS_PER_SIZE):
        started = now(device)
        render(float(len(times) % frames))
        times.append(now(device) - started)
        if sum(times) > 2 * _SECONDS_PER_SIZE:
            break
    return 1 / statistics.median(times)


def _psnr(one: Frame, other: Frame) -> float:
    error = float((one.rgb - other.rgb).square().mean())
    return -10 * math.log10(max(error, 1e-20))


def stages(bench: Bench) -> dict[str, Any]:
    """Milliseconds of each stage of a frame by the reference renderer."""
    with dynerf.open(bench.clip, device=bench.device) as clip:
        camera = clip.cameras[0].with_size(*bench.effort.sizes[0])
        clip.render(camera, frame=0.0, plain=True)
        with timed(clip.device, FRAME_STAGES) as seconds:
            clip.render(camera, frame=0.0, plain=True)
    return {name: 1e3 * each for name, each in seconds.items()}


def movie(bench: Bench) -> dict[str, Any]:
    """Frames per second written to a video, sequentially and with asynchronous copies."""
    size = (256, 192) if bench.quick else (1352, 1014)
    count = 3 if bench.quick else 60
    found: dict[str, Any] = {"pictures": f"{count} of {_name(size)}"}
    with dynerf.open(bench.clip, device=bench.device) as clip:
        camera = clip.cameras[0].with_size(*size)
        codec = video_codec(bench.device == "cuda", *size)
        found["codec"] = f"{codec.name} {codec.reason}".strip()
        frames = [float(index % clip.frames) for index in range(count)]
        for name in ("one after the other", "handed over"):
            path = bench.folder / "movie.mp4"
            started = time.perf_counter()
            with open_output(path, *size, Fraction(30), count, codec) as out:
                pictures = (clip.render(camera, frame=frame) for frame in frames)
                if name == "handed over":
                    for pixels in copy_frames((each.rgb for each in pictures), clip.device):
                        out.write(pixels)
                else:
                    for picture in pictures:
                        out.write(picture.numpy())
            found[name] = count / (time.perf_counter() - started)
            path.unlink()
    return found


def mlp(bench: Bench, left: TimeLeft) -> dict[str, Any]:
    """Frames per second of untrained ``mlp`` models, reference and fast; sizes as time allows."""
    sizes = ((32, 24),) if bench.quick else bench.effort.sizes
    samplings = {"small": Sampling(64, 64, union=True), "paper": Sampling(64, 128, union=True)}
    if bench.quick:
        samplings = dict.fromkeys(samplings, Sampling(8, 8, union=True))
    models = {"small": SMALL, "paper": MlpSettings()}
    found: dict[str, Any] = {}
    with dynerf.open(bench.clip, device=bench.device) as clip:
        for name, settings in models.items():
            folded = _untrained(settings, bench.torch_device)
            seconds, pixels = 0.0, 1
            for size in sizes:
                expected = 4 * seconds * size[0] * size[1] / pixels
                if left() < max(2.0, expected):
                    found[f"{name}, {_name(size)}"] = "no time left"
                    continue
                started = time.perf_counter()
                found[f"{name}, {_name(size)}"] = _mlp_rates(clip, folded, samplings[name], size)
                seconds, pixels = (time.perf_counter() - started) / 4, size[0] * size[1]
    return found


@torch.no_grad()
def _untrained(settings: MlpSettings, device: torch.device) -> FoldedModel:
    """An untrained model with scaled densities, so that its frames are not uniform."""
    torch.manual_seed(0)
    model = MlpModel(settings)
    for network in (model.coarse, model.fine):
        network.density.weight.mul_(20)
    return model.to(device).requires_grad_(False).fold(torch.randn(1, settings.latent).to(device))


def _mlp_rates(clip: Clip, folded: FoldedModel, sampling: Sampling, size: tuple[int, int]) -> dict[str, Any]:
    camera = clip.cameras[0].with_size(*size)

    def seconds(*, plain: bool) -> tuple[float, Frame]:
        started = now(clip.device)
        picture = render_frame(folded, camera, clip.space, sampling, clip.device, plain=plain)
        return now(clip.device) - started, picture

    if size[0] * size[1] <= 256 * 192:
        seconds(plain=False)
    plain, reference = seconds(plain=True)
    fast, picture = seconds(plain=False)
    return {"plain fps": 1 / plain, "fast fps": 1 / fast, "agreement dB": _psnr(picture, reference)}


def _name(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def memory(bench: Bench) -> dict[str, Any]:
    """Peak memory in MiB."""
    on_gpu = peak_device_memory(bench.torch_device)
    return {"main": peak_memory() / 2**20, "GPU": "none" if on_gpu is None else on_gpu / 2**20}
