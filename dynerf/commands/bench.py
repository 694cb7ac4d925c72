"""``dynerf bench``."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..device import choose_device
from ..display import Tasks, print_result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynerf_decoder.clip import Clip

    from ..bench.effort import Effort


def run(options: argparse.Namespace) -> int:
    """Measure and print the figures."""
    import dynerf

    from ..bench.effort import FULL, QUICK
    from ..bench.sample import sample_clip

    device = choose_device(options.device)
    effort = QUICK if options.quick else FULL
    place = sample_clip(device, quick=options.quick) if options.clip is None else options.clip
    with dynerf.open(place, device=device) as clip, Tasks() as tasks:
        record = _measure(clip, effort, tasks)
    print_result(json.dumps(record, allow_nan=False) if options.json else _table(record))
    return 0


def _measure(clip: "Clip", effort: "Effort", tasks: Tasks) -> dict[str, Any]:
    from ..bench.decoding import measure_decoding, warm_up
    from ..bench.effort import name_of
    from ..bench.machine import describe_machine, measure_ceilings, peak_device_memory, peak_memory
    from ..bench.stages import measure_stages
    from ..bench.training import measure_training, recorded_config

    def watch(what: str) -> "Callable[[int, int], None]":
        return lambda done, total: tasks.progress(what, done, total)

    recorded_config(clip)  # what cannot be trained with is refused before all else
    warm_up(clip, effort.sizes[0])
    ceilings = measure_ceilings(clip.device)
    decode = {
        name_of(size): asdict(measure_decoding(clip, size, effort, watch(f"decoding {name_of(size)}")))
        for size in effort.sizes
    }
    stages = measure_stages(clip, effort, ceilings, watch("stages"))
    training = measure_training(clip, effort, watch("training"))
    return {
        "machine": describe_machine(clip.device),
        "device": clip.device.type,
        "clip": clip.name,
        "field": clip.header.field.kind,
        "ceilings": {device: asdict(ceiling) for device, ceiling in ceilings.items()},
        "decode": decode,
        "stages_size": name_of(effort.stage_size),
        "stages": {name: {**asdict(stage), "ratio": stage.ratio} for name, stage in stages.items()},
        "train": asdict(training),
        "peak_memory_bytes": peak_memory(),
        "peak_device_memory_bytes": peak_device_memory(clip.device),
    }


def _table(record: "Mapping[str, Any]") -> str:
    device_memory = record["peak_device_memory_bytes"]
    lines = [
        record["machine"],
        *(
            f"{device}: copies {ceiling['bytes_per_s'] / 1e9:,.1f} GB/s (read and written), multiplies "
            f"{ceiling['flops_per_s'] / 1e9:,.0f} GFLOP/s in float32"
            for device, ceiling in record["ceilings"].items()
        ),
        f"peak memory {record['peak_memory_bytes'] / 2**20:,.0f} MiB"
        + ("" if device_memory is None else f", {device_memory / 2**20:,.0f} MiB on the GPU"),
        "",
        "decoding      plain fps   fast fps  plain rays/s   fast rays/s   agreement",
        *(_decode_line(size, figures) for size, figures in record["decode"].items()),
        "",
        f"{record['stages_size']:<12}{'ms':>11}{'floor ms':>11}{'time / floor':>14}",
        *(_stage_line(name, stage) for name, stage in record["stages"].items()),
        "",
        *_training_lines(record["train"]),
    ]
    return "\n".join(lines)


def _decode_line(size: str, figures: "Mapping[str, Any]") -> str:
    agreement = figures["agreement_db"]
    return (
        f"{size:<12}{figures['plain_fps']:>11.2f}{figures['fast_fps']:>11.2f}"
        f"{figures['plain_rays_per_s']:>14,.0f}{figures['fast_rays_per_s']:>14,.0f}"
        f"{'identical' if agreement is None else f'{agreement:.1f} dB':>12}"
    )


def _stage_line(name: str, stage: "Mapping[str, Any]") -> str:
    milliseconds, floor = 1e3 * stage["seconds"], 1e3 * stage["floor_seconds"]
    return f"{name:<12}{milliseconds:>11.3f}{floor:>11.4f}{stage['ratio']:>14.1f}"


def _training_lines(train: "Mapping[str, Any]") -> list[str]:
    recorded = train["recorded_rays_per_step"]
    rays = f"{train['rays_per_step']:,} rays"
    fewer = "" if train["rays_per_step"] >= recorded else f", fewer than the recorded {recorded:,}"
    return [
        f"{'a step':<12}{'ms':>11}   of {rays}{fewer}: {train['rays_per_s']:,.0f} rays/s, "
        f"plain {train['plain_rays_per_s']:,.0f}",
        *(f"{name:<12}{1e3 * seconds:>11.3f}" for name, seconds in train["stages"].items()),
        *(f"{'plain ' + name:<16}{1e3 * seconds:>7.3f}" for name, seconds in train["plain_stages"].items()),
    ]
