"""Measures how fast this machine decodes and trains, as JSON.

    python benchmarks/bench.py clip.dnv [--quick] [--device cuda]

Decoding: the reference renderer and the fast one alternate frame by frame; medians are reported, and
``agreement_db`` is the lowest PSNR between their frames before rounding to 8 bits (null if no pixel
differs). Training: steps by torch alone and those that ``make_step`` chooses alternate, with the settings
that the file records, on uniformly drawn rays of all its cameras; colours are synthetic, so no capture is
read. ``stages`` are the mean seconds spent in functions of the product.
"""

import argparse
import copy
import json
import math
import pkgutil
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

import dynerf
from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.render.frame import Frame
from dynerf_encoder.config.overrides import apply_assignments, known_keys
from dynerf_encoder.config.presets import PRESETS, PresetName, preset
from dynerf_encoder.config.schema import Config
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.rays.cpu_source import RaySource
from dynerf_encoder.schedule.stages import Plan, Stage
from dynerf_encoder.step.factory import make_step
from dynerf_encoder.step.protocol import StepFactory
from dynerf_encoder.step.reference import TorchStep
from dynerf_encoder.training.trainer import Trainer
from machine import describe_machine, measure_ceilings, now, peak_device_memory, peak_memory

Size = tuple[int, int]

FRAME_STAGES = {
    "rays": "dynerf_decoder.render.frame.camera_rays",
    "clip": "dynerf_decoder.scene.contraction.Space.clip_plain",
    "coarse": "dynerf_decoder.render.reference._coarse_pass",
    "sample": "dynerf_decoder.render.reference.importance_edges",
    "fine and composite": "dynerf_decoder.render.reference._colour_pass",
}
STEP_STAGES = {
    "torch: render": "dynerf_encoder.step.reference.render_rays",
    "torch: backward": "torch.Tensor.backward",
    "Adam": "torch.optim.Adam.step",
    "kernels: fold": "dynerf_encoder.step.plane_optimiser.TrainedPlanes.fold",
    "kernels: rays": "dynerf_encoder.step.cpu.CpuKernelStep._train_rays",
    "kernels: scatter": "dynerf_encoder.step.plane_optimiser.TrainedPlanes.scatter",
    "kernels: update": "dynerf_encoder.step.plane_optimiser.TrainedPlanes.update",
}


@dataclass(frozen=True)
class Effort:
    """Frame sizes, number of frames per size, and number of training steps after the first."""

    sizes: tuple[Size, ...]
    frames: int
    steps: int


FULL = Effort(((256, 192), (640, 360), (1352, 1014)), 10, 20)
QUICK = Effort(((256, 192),), 2, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--quick", action="store_true", help="one small frame size and few repetitions")
    options = parser.parse_args()
    with dynerf.open(options.clip, device=options.device) as clip:
        print(json.dumps(measure(clip, QUICK if options.quick else FULL), allow_nan=False, indent=1))


def measure(clip: Clip, effort: Effort) -> dict[str, Any]:
    """All measurements of a clip."""
    return {
        "machine": describe_machine(clip.device),
        "ceilings": {kind: asdict(each) for kind, each in measure_ceilings(clip.device).items()},
        "clip": clip.name,
        "decode": {f"{width}x{height}": decoding(clip, (width, height), effort.frames)
                   for width, height in effort.sizes},
        "train": training(clip, effort.steps),
        "peak_memory_bytes": peak_memory(),
        "peak_device_memory_bytes": peak_device_memory(clip.device),
    }  # fmt: skip


def decoding(clip: Clip, size: Size, repeats: int) -> dict[str, Any]:
    """Frames per second of both renderers, their agreement, and the stages of a reference frame."""
    camera = clip.cameras[0].with_size(*size)
    times: dict[bool, list[float]] = {True: [], False: []}
    agreement = math.inf
    for plain in times:
        clip.render(camera, frame=0.0, plain=plain)  # the first call loads libraries and weights
    with timed(clip.device, FRAME_STAGES) as stages:
        for number in range(repeats):
            frame, rendered = float(number % clip.frames), []
            clip.fold(frame)  # so that neither renderer has to read the latents
            for plain, seconds in times.items():
                started = now(clip.device)
                rendered.append(clip.render(camera, frame=frame, plain=plain))
                seconds.append(now(clip.device) - started)
            agreement = min(agreement, _psnr(*rendered))
    return {
        "plain_fps": 1 / statistics.median(times[True]),
        "fast_fps": 1 / statistics.median(times[False]),
        "agreement_db": agreement if math.isfinite(agreement) else None,
        "stages": {name: seconds / repeats for name, seconds in stages.items()},
    }


def training(clip: Clip, steps: int) -> dict[str, Any]:
    """Rays per second of both kinds of training steps, and their stages."""
    config = recorded_config(clip)
    config = replace(config, rate=replace(config.rate, start=0.0))  # without the rate term
    factories = {"plain": TorchStep, "fast": make_step}
    trainers = {name: _trainer(clip, config, factory).run() for name, factory in factories.items()}
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for reports in trainers.values():
        next(reports)
    with timed(clip.device, STEP_STAGES) as stages:
        for _ in range(steps):
            for name, reports in trainers.items():
                started = now(clip.device)
                rays = next(reports).rays
                seconds[name].append(now(clip.device) - started)
    return {
        **{f"{name}_rays_per_s": rays / statistics.median(each) for name, each in seconds.items()},
        "rays_per_step": rays,
        "stages": {name: each / steps for name, each in stages.items() if each},
    }


@contextmanager
def timed(device: torch.device, functions: dict[str, str]) -> Iterator[dict[str, float]]:
    """Accumulate seconds spent in functions within the block; ``functions`` maps labels to dotted paths."""
    seconds = dict.fromkeys(functions, 0.0)

    def wrapped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            started = now(device)
            result = function(*arguments, **named)
            seconds[name] += now(device) - started
            return result

        return call

    with ExitStack() as stack:
        for name, path in functions.items():
            stack.enter_context(patch(path, wrapped(name, pkgutil.resolve_name(path))))
        yield seconds


def recorded_config(clip: Clip) -> Config:
    """The settings that a clip's file records, as far as the cost of a step depends on them."""
    recorded, field = clip.header.config, clip.header.field
    named: PresetName = next((name for name in PRESETS if name == recorded.get("preset")), "preview")
    base = preset(named, "mlp" if field.kind == "mlp" else "planes")
    sections: dict[str, Any] = {
        part: recorded.get(part) or {} for part in ("schedule", "optimiser", "rate", "quantisation")
    }
    sections |= {"sampling": asdict(clip.sampling), field.kind: field.settings}
    assignments = [
        f"{section}.{key}={','.join(map(str, value)) if isinstance(value, list) else str(value).lower()}"
        for section, values in sections.items()
        for key, value in values.items()
        if f"{section}.{key}" in known_keys()
    ]
    return apply_assignments(base, assignments)


def _trainer(clip: Clip, config: Config, factory: StepFactory) -> Trainer:
    model = copy.deepcopy(clip.model(0)).train().requires_grad_(True)
    source = RaySource(_synthetic_store(clip), tuple(range(len(clip.cameras))), clip.device)
    frames = tuple(range(clip.frames))
    plan = Plan((Stage("uniform", 1.0, frames, 1.0),), 10**6, frames)
    return Trainer(
        config, model, clip.space, source, {}, plan,
        frames=clip.frames, seed=0, time_limit=None, make_step=factory,
    )  # fmt: skip


class _SyntheticStore(FrameStore):
    """Smooth images that change from frame to frame."""

    def gather(self, view_idx: np.ndarray, frame_idx: np.ndarray, pixel_idx: np.ndarray) -> np.ndarray:
        rows, columns = np.divmod(pixel_idx, self.width)
        channels = (255 * rows // self.height, 255 * columns // self.width, frame_idx % 256)
        return np.stack(channels, axis=-1).astype(np.uint8)


def _synthetic_store(clip: Clip) -> FrameStore:
    """A frame store with the clip's cameras, all of the first camera's size."""
    first, count = clip.cameras[0], len(clip.cameras)
    return _SyntheticStore(
        folder=Path(), names=tuple(camera.name for camera in clip.cameras),
        cameras=tuple(camera.with_size(first.width, first.height) for camera in clip.cameras),
        near=(0.0,) * count, far=(0.0,) * count, frames=clip.frames, height=first.height, width=first.width,
        fps=clip.fps, first_source_frame=0, fingerprint="", covered=(None,) * count, _pictures=(),
    )  # fmt: skip


def _psnr(one: Frame, other: Frame) -> float:
    """PSNR between two rendered frames in dB; infinite if they are equal."""
    error = float((one.rgb.double() - other.rgb.double()).square().mean())
    return -10 * math.log10(error) if error > 0 else math.inf


if __name__ == "__main__":
    main()
