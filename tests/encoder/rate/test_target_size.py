"""Meeting a size by rounding, and refusing a size that cannot be met."""

import math
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from dynerf_encoder.config.schema import Quantisation
from dynerf_encoder.rate.quality import at_quality
from dynerf_encoder.rate.step_sizes import coarsened
from dynerf_encoder.rate.target_size import check_target, meet_target
from dynerf_format import CellGrid, FileSource, Occupancy, Reader
from dynerf_format.errors import ConfigError
from support.encoding import Forks, encode_arguments, tiny_config, tiny_encode, tiny_job, write_scene

_STEPS = tiny_config().quantisation


def _size(steps: Quantisation) -> int:
    """Shrinks as steps widen, but never below the part that is not rounded."""
    return 2000 + round(10_000 * math.pow(_STEPS.planes / steps.planes, 0.8))


class TestMeeting:
    @pytest.mark.parametrize("target", [4000, 11_900, 12_000, 13_000, 50_000])
    def test_finds_the_steps(self, target: int) -> None:
        assert _size(coarsened(_STEPS, meet_target(_size, _STEPS, target))) == pytest.approx(target, rel=0.01)

    def test_packs_once_if_the_training_has_met_it(self) -> None:
        sizes = []

        def size(steps: Quantisation) -> int:
            sizes.append(_size(steps))
            return sizes[-1]

        assert meet_target(size, _STEPS, 12_050) == 1.0
        assert sizes == [12_000]

    @pytest.mark.parametrize("target", [4000, 30_000])
    def test_packs_only_a_few_times_though_the_size_jumps(self, target: int) -> None:
        sizes = []

        def size(steps: Quantisation) -> int:
            sizes.append(_size(steps) // 60 * 60)
            return sizes[-1]

        meet_target(size, _STEPS, target)
        assert sizes[-1] == pytest.approx(target, rel=0.02)
        assert len(sizes) <= 5

    @pytest.mark.parametrize(("target", "reached"), [(1000, 3894), (10**6, 54_781)])
    def test_what_cannot_be_met_is_refused_with_the_nearest_size(self, target: int, reached: int) -> None:
        with pytest.raises(ConfigError, match=f"--target-size {target}: the nearest") as caught:
            meet_target(_size, _STEPS, target)
        found = int(str(caught.value).split(" reaches is ")[1].split()[0])
        assert found == pytest.approx(reached, rel=0.01)


class TestTooSmall:
    def test_less_than_an_empty_file_is_refused_before_the_training(self, tmp_path: Path) -> None:
        capture = write_scene(tmp_path / "scene")
        output = tmp_path / "clip.dnv"
        with pytest.raises(ConfigError, match=r"--target-size 1000: the file takes \d+ bytes before"):
            tiny_encode(tiny_job(capture, output, "rate.target=1000"))
        assert not output.exists()

    def test_as_much_as_an_empty_file_passes(self) -> None:
        check_target(1000, 1000)


@pytest.mark.parametrize(("target", "frames"), [("9000", [1, 5]), ("6000", [1])])
def test_grids_count_towards_it_and_are_left_out_if_they_take_much_of_it(
    target: str, frames: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[int] = []
    cells = np.random.default_rng(0).random((18, 18, 18)) < 0.5  # 729 bytes that no codec can compress

    def found(_model: object, latents: Tensor, layers: int, *_: object) -> Occupancy:
        searched.append(len(latents))
        return Occupancy(layers, None, CellGrid.of_cells(cells))

    monkeypatch.setattr("dynerf_encoder.jobs.clip_file.find_occupancy", found)
    output = tmp_path / "clip.dnv"
    tiny_encode(tiny_job(write_scene(tmp_path / "scene"), output, f"rate.target={target}"))
    assert searched == frames
    assert output.stat().st_size == pytest.approx(int(target), rel=0.05)
    with FileSource(output) as source:
        assert (Reader(source).occupancy(0) is not None) == (len(frames) == 2)


@pytest.mark.parametrize("target", [8000, pytest.param(9000, marks=pytest.mark.extensive)])
def test_trained_layers_are_part_of_it(target: int, tmp_path: Path) -> None:
    output = tmp_path / "clip.dnv"
    settings = ("planes.scales=8,24", "layers.budget=0.5,1", "layers.steps=0.5", f"rate.target={target}")
    tiny_encode(tiny_job(write_scene(tmp_path / "scene"), output, *settings))
    assert output.stat().st_size == pytest.approx(target, rel=0.05)
    with FileSource(output) as source:
        assert Reader(source).layers(0) == 2


def test_segments_share_a_target_by_their_frames(tmp_path: Path) -> None:
    capture = write_scene(tmp_path / "scene")
    output = tmp_path / "clip.dnv"
    words = encode_arguments(capture, output, "--segment", "3f", "--overlap", "0", "--target-size", "14kB")
    ended = Forks.shared().run(words, every=1e9)
    assert ended.status == 0, ended.stderr
    with FileSource(output) as source:
        header = Reader(source).header
    targets = [config["rate"]["target"] for config in header.config["joined"]]
    assert targets == [8400, 5600]
    assert 0.6 * 14_000 < output.stat().st_size < 1.05 * 14_000  # what both files share is stored once


class TestQuality:
    def test_each_one_halves_the_weight_and_the_square_of_the_steps(self) -> None:
        config = tiny_config()
        for quality in range(1, 10):
            one, better = at_quality(config, quality), at_quality(config, quality + 1)
            assert one.rate.weight == pytest.approx(2 * better.rate.weight)
            for name in ("planes", "network", "latents"):
                step, finer = getattr(one.quantisation, name), getattr(better.quantisation, name)
                assert step**2 == pytest.approx(2 * finer**2)
        assert at_quality(config, 6) == config

    @pytest.mark.parametrize("quality", [0, 11, -1])
    def test_others_are_refused(self, quality: int) -> None:
        with pytest.raises(ConfigError, match=f"quality: found {quality}, expected 1 to 10"):
            at_quality(tiny_config(), quality)

    def test_a_lower_one_makes_a_smaller_file(self, tmp_path: Path) -> None:
        capture = write_scene(tmp_path / "scene")
        sizes = []
        for quality in (1, 10):
            config = at_quality(tiny_config("schedule.scale=2"), quality)
            job = tiny_job(capture, tmp_path / f"{quality}.dnv", config=config, cache=tmp_path / "cache")
            sizes.append(tiny_encode(job).bytes)
        assert sizes[0] < 0.7 * sizes[1]
