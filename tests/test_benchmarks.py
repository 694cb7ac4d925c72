"""``benchmarks/bench.py`` measures a clip, and the functions of its stages exist."""

import json
from pathlib import Path

import pytest
import torch

import bench
import dynerf
from support.encoding import shared_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_clip(tmp_path_factory)


def test_a_clip_is_measured(clip: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        measured = bench.measure(opened, bench.Effort(((32, 24),), 1, 1))
    record = json.loads(json.dumps(measured, allow_nan=False))
    assert torch.__version__ in record["machine"]
    decode, train = record["decode"]["32x24"], record["train"]
    assert decode["agreement_db"] is None or decode["agreement_db"] >= 45
    assert list(decode["stages"]) == list(bench.FRAME_STAGES)
    assert min(decode["stages"].values()) > 0
    assert train["rays_per_step"] == 96
    assert list(train["stages"]) == list(bench.STEP_STAGES)
    assert min(train["plain_rays_per_s"], train["fast_rays_per_s"]) > 0


def test_a_step_is_trained_with_the_settings_that_the_file_records(clip: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        config = bench.recorded_config(opened)
    assert (config.planes.scales, config.schedule.keyframe_interval) == ((8, 12), 3)
