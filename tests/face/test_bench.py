"""``dynerf bench``: figures of a tiny clip, JSON on standard output, one line for what cannot be measured."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import dynerf
from dynerf.bench import effort, sample, training
from dynerf.bench.decoding import measure_decoding
from dynerf.bench.effort import Effort
from dynerf.bench.machine import Ceilings, measure_ceilings, peak_device_memory
from dynerf.bench.stages import measure_stages
from dynerf.bench.work import Work, frame_work
from dynerf_decoder.fields.build import build_model
from dynerf_decoder.sampling import Sampling
from dynerf_format.errors import ConfigError
from helpers_face import done, refused, run

STAGES = ["fold", "rays", "coarse", "sample", "fine", "composite", "convert", "encode"]
PLAIN_STEP = ["draw", "forward", "backward", "optimiser"]
STEP = ["draw", "fold", "rays", "scatter", "optimiser"]
TINY = Effort(((32, 24),), (32, 24), 1, 1, 0.0, 0, 1)


def unwatched(done: int, total: int) -> None:
    """Nobody wants to know."""


def test_bench_measures_a_clip(clip: Path) -> None:
    ran = done("bench", clip, "--quick", "--json")
    assert ran.out.count("\n") == 1
    assert "dynerf: training: 100 %" in ran.err
    record = json.loads(ran.out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert (record["device"], record["clip"], record["field"]) == ("cpu", str(clip), "planes")
    assert record["machine"].count(torch.__version__) == 1
    assert record["peak_memory_bytes"] > 2**20
    assert record["peak_device_memory_bytes"] is None
    assert list(record["decode"]) == ["256x192"]
    figures = record["decode"]["256x192"]
    agreement = figures.pop("agreement_db")
    assert agreement is None or agreement >= 45
    assert min(figures.values()) > 0
    assert figures["fast_rays_per_s"] == pytest.approx(256 * 192 * figures["fast_fps"])
    assert list(record["ceilings"]) == ["cpu"]
    assert min(record["ceilings"]["cpu"].values()) > 0
    assert list(record["stages"]) == STAGES
    for stage in record["stages"].values():
        assert stage["seconds"] > 0
        assert stage["floor_seconds"] > 0
        assert stage["ratio"] == pytest.approx(stage["seconds"] / stage["floor_seconds"])
    train = record["train"]
    assert list(train["stages"]) == STEP
    assert min(train["stages"].values()) > 0
    assert train["rays_per_step"] == train["recorded_rays_per_step"] == 512
    assert list(train["plain_stages"]) == PLAIN_STEP
    for way, stages in (("rays_per_s", "stages"), ("plain_rays_per_s", "plain_stages")):
        assert train[way] > 0
        assert min(train[stages].values()) > 0


def test_bench_prints_a_table_for_people(clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The bundled sample's place in the cache is taken: what was encoded before is used again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = tmp_path / "dynerf" / f"bench-{dynerf.__version__}-quick.dnv"
    kept.parent.mkdir()
    kept.write_bytes(clip.read_bytes())
    monkeypatch.setattr(effort, "QUICK", TINY)
    lines = done("bench", "--quick").out.splitlines()
    starts = [line.split()[0] for line in lines if line]
    assert starts[3:] == [
        "decoding",
        "32x24",
        "32x24",
        *STAGES,
        "a",
        *STEP,
        *["plain"] * len(PLAIN_STEP),
    ]
    assert "rays/s, plain " in lines[-10]


def test_the_sample_is_encoded_once(
    scene: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    encoded: list[tuple[Path, str, tuple[str, ...]]] = []

    def encode(output: Path, device: str, more: tuple[str, ...]) -> None:
        encoded.append((output, device, more))
        output.write_bytes(clip.read_bytes())

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sample, "CAPTURE", scene)
    monkeypatch.setattr(sample, "_encode", encode)
    first = sample.sample_clip("cpu", quick=True)
    assert sample.sample_clip("cpu", quick=True) == first
    assert first.read_bytes() == clip.read_bytes()
    assert [entry[1:] for entry in encoded] == [("cpu", ("--set", "schedule.scale=0.1"))]
    assert sample.sample_clip("cpu", quick=False) != first
    assert encoded[1][1:] == ("cpu", ())
    assert len(list(first.parent.iterdir())) == 2


def test_bench_refuses_what_is_no_clip(clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "no such file" in refused("bench", tmp_path / "a.dnv", "--quick", folder=tmp_path)
    (tmp_path / "text.dnv").write_text("Dear sir,\nthis is a text.\n")
    assert "looks like a text file" in refused("bench", tmp_path / "text.dnv", folder=tmp_path)
    (tmp_path / "cut.dnv").write_bytes(clip.read_bytes()[:-20])
    assert f"{tmp_path / 'cut.dnv'}: " in refused("bench", tmp_path / "cut.dnv", "--json", folder=tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sample, "CAPTURE", tmp_path / "candle")
    assert "no sample here" in refused("bench", "--quick", folder=tmp_path)
    assert run("bench", clip, "--quick", "--frames", "1").status == 2


def test_settings_that_cannot_be_trained_with_are_refused(clip: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        assert training.recorded_config(opened).planes.scales == (8, 12)
        assert training.recorded_config(opened).schedule.keyframe_interval == 5
        opened.header = replace(opened.header, config={"schedule": {"rays": "many"}, "preset": ["paper"]})
        with pytest.raises(ConfigError, match=r"clip.dnv: its recorded settings .* expected a whole number"):
            training.recorded_config(opened)
        opened.header = replace(opened.header, config={"schedule": 3})
        assert training.recorded_config(opened).preset == "preview"


def test_a_batch_too_large_for_memory_is_made_smaller(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        monkeypatch.setitem(training._MOST_FLOATS, "cpu", 100 * 20 * opened.fold(0.0).floats_per_sample)
        measured = training.measure_training(opened, TINY, unwatched)
    assert (measured.rays_per_step, measured.recorded_rays_per_step) == (100, 512)


def test_what_no_pixel_differs_in_agrees_without_end(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        picture = opened.render(opened.cameras[0], frame=0.0)
        monkeypatch.setattr(opened, "render", lambda *_arguments, **_settings: picture)
        assert measure_decoding(opened, (32, 24), TINY, unwatched).agreement_db is None


MLP = {"latent": 5, "depth": 3, "width": 8, "skip": 1, "position_frequencies": 1, "direction_frequencies": 1}
PLANES = {
    "latent": 5, "scales": [4], "channels": 2, "basis": [3], "coarse_basis": 1, "hidden": 7,
    "view_features": 2, "view_hidden": 6, "coarse_scale": 2, "coarse_channels": 1, "coarse_hidden": 3,
}  # fmt: skip


def test_the_work_of_a_network_is_counted_by_hand() -> None:
    model = build_model("mlp", MLP)
    work = frame_work(model, model.fold(torch.zeros(1, 5)), Sampling(4, 6, True), 10)
    assert list(work) == STAGES
    # layers 9-8, (9 + 8)-8, 8-8; density 8-1, feature 8-8, view (8 + 9)-4, rgb 4-3
    sample_flops = 2 * (72 + 136 + 64 + 8 + 64 + 68 + 12)
    assert work["coarse"].flops == 10 * 4 * sample_flops
    assert work["fine"].flops == 10 * 10 * sample_flops
    assert work["fold"] == Work(4 * (2 * 80 + 5 + 2 * 16), 2 * 2 * 80)
    assert work["convert"] == Work(10 * 15, 0)
    assert work["composite"].flops == 10 * 2 * 10 * 3


def test_the_work_of_planes_is_counted_by_hand() -> None:
    model = build_model("planes", PLANES)
    work = frame_work(model, model.fold(torch.zeros(1, 5)), Sampling(4, 6, False), 10)
    fine = 2 * 4 * 3 * 2 + 2 * (2 * 7 + 7 * 6)
    assert work["fine"].flops == 10 * 6 * fine
    assert work["coarse"].flops == 10 * 4 * (2 * 4 * 3 * 1 + 2 * (1 * 3 + 3 * 1))
    # planes 3-2-4-4 of the fine field once, then weights and bias; start, end, edges, direction; 6 outputs
    assert work["fine"].bytes == 4 * (96 + 14 + 7 + 42 + 10 * (6 + 7 + 3 + 6 * 6))
    assert work["composite"].flops == 10 * (2 * 6 * 5 + 2 * ((5 + 15) * 6 + 6 * 3))
    products = 3 * 96 + 3 * 5 + 7 * 5 + 12 + 1 * 5 + 3 * 5
    assert work["fold"].flops == 2 * products


def test_a_floor_is_the_larger_of_two_times() -> None:
    ceilings = Ceilings(bytes_per_s=100, flops_per_s=1000)
    assert ceilings.floor(50, 100) == 0.5
    assert ceilings.floor(5, 100) == 0.1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_bench_measures_a_gpu(clip: Path) -> None:
    device = torch.device("cuda")
    with dynerf.open(clip, device="cuda") as opened:
        ceilings = measure_ceilings(device)
        assert list(ceilings) == ["cpu", "cuda"]
        stages = measure_stages(opened, TINY, ceilings, unwatched)
        assert {name for name, stage in stages.items() if stage.device == "cpu"} == {"convert", "encode"}
        assert training.measure_training(opened, TINY, unwatched).rays_per_s > 0
        assert (peak_device_memory(device) or 0) > 0
