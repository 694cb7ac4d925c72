"""The presets: ``paper`` holds the published constants, and every preset trains with either field."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_encoder.config.overrides import apply_assignments
from dynerf_encoder.config.presets import PRESETS, PresetName, preset
from dynerf_encoder.config.schema import FieldKind
from dynerf_encoder.jobs.job_limits import check_job
from support.encoding import TINY, Notes, tiny_encode, tiny_job, write_scene

_PAPER = preset("paper")
_FOR_CPUS: tuple[PresetName, ...] = ("preview", "balanced")
_ALL = [(name, kind) for name in PRESETS for kind in ("planes", "mlp")]


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("presets") / "scene")


class TestPaper:
    """Published constants: what the paper, or HexPlane's nv3d.yaml for it, or NeRF states."""

    def test_field_is_the_mlp_of_8_layers_of_512_with_1024_latent_numbers(self) -> None:
        assert _PAPER.field == "mlp"
        assert (_PAPER.mlp.depth, _PAPER.mlp.width, _PAPER.mlp.latent) == (8, 512, 1024)
        assert (_PAPER.mlp.skip, _PAPER.mlp.position_frequencies, _PAPER.mlp.direction_frequencies) == (
            5,
            10,
            4,
        )

    def test_model_and_300_latents_take_the_28_mb_that_the_paper_states(self) -> None:
        with torch.device("meta"):
            model = build_model("mlp", settings_record(_PAPER.mlp))
        numbers = sum(parameter.numel() for parameter in model.parameters()) + 300 * model.latent_size
        assert round(4 * numbers / 1e6) == 28

    def test_stages_last_300_250_and_100_thousand_steps_with_a_keyframe_every_30_frames(self) -> None:
        schedule = _PAPER.schedule
        assert (schedule.keyframe_steps, schedule.isg_steps, schedule.ist_steps) == (
            300_000,
            250_000,
            100_000,
        )
        assert (schedule.keyframe_interval, schedule.scale) == (30, 1)
        assert 0 < schedule.ist_rate < 1  # "low", the number is not published

    def test_a_step_has_24576_rays_of_64_coarse_and_128_more_fine_samples(self) -> None:
        assert _PAPER.schedule.rays == 24_576
        assert (_PAPER.sampling.coarse, _PAPER.sampling.fine, _PAPER.sampling.union) == (64, 128, True)

    def test_adam_learns_at_5e_4_latents_ten_times_as_fast(self) -> None:
        optimiser = _PAPER.optimiser
        assert (optimiser.network_rate, optimiser.latent_gain, optimiser.beta2) == (5e-4, 10, 0.999)
        assert (optimiser.final_rate, optimiser.warm_up) == (0.1, 0)
        assert (optimiser.coarse_weight, optimiser.total_variation) == (1, 0)
        assert optimiser.latent_sigma == pytest.approx(0.01 / np.sqrt(1024), rel=0.01)

    def test_all_rays_are_drawn_by_importance_with_the_published_constants(self) -> None:
        importance = _PAPER.importance
        assert (importance.keyframe_gamma, importance.gamma) == (1e-3, 2e-2)
        assert (importance.window, importance.floor, importance.share) == (25, 0.1, 1)


class TestChoice:
    @pytest.mark.parametrize("name", PRESETS)
    def test_a_preset_carries_its_name(self, name: PresetName) -> None:
        assert preset(name).preset == name

    def test_the_fast_ones_use_planes(self) -> None:
        assert [preset(name).field for name in PRESETS] == ["planes", "planes", "planes", "mlp"]

    def test_balanced_trains_three_times_as_long_as_preview_with_more_samples(self) -> None:
        preview, balanced = preset("preview"), preset("balanced")
        for stage in ("keyframe_steps", "isg_steps", "ist_steps"):
            assert getattr(balanced.schedule, stage) == 3 * getattr(preview.schedule, stage)
        assert balanced.sampling.coarse > preview.sampling.coarse
        assert balanced.sampling.fine > preview.sampling.fine

    def test_the_fine_networks_of_preview_and_balanced_fill_groups_of_four(self) -> None:
        for name in _FOR_CPUS:
            planes = preset(name).planes
            assert planes.hidden % 4 == 0
            assert (1 + 3 + planes.view_features) % 4 == 0

    @pytest.mark.parametrize(("name", "kind"), _ALL)
    def test_every_preset_exists_with_either_field(self, name: PresetName, kind: FieldKind) -> None:
        config = preset(name, kind)
        assert (config.preset, config.field) == (name, kind)
        assert config.schedule == preset(name).schedule
        assert config.sampling.coarse == preset(name).sampling.coarse
        check_job(tiny_job(Path(), Path("x.dnv"), config=config))

    @pytest.mark.parametrize("name", PRESETS)
    def test_the_field_determines_rates_and_samples(self, name: PresetName) -> None:
        planes, mlp = preset(name, "planes"), preset(name, "mlp")
        assert not planes.sampling.union
        assert mlp.sampling.union
        assert mlp.optimiser.network_rate == 5e-4
        assert planes.optimiser.network_rate > 5e-4

    @pytest.mark.parametrize("name", PRESETS)
    def test_the_presets_own_field_changes_nothing(self, name: PresetName) -> None:
        assert preset(name, preset(name).field) == preset(name)

    # fast and preview differ only in sizes, which are reduced here
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("preview", "planes"),
            pytest.param("preview", "mlp", marks=pytest.mark.extensive),
            pytest.param("paper", "planes", marks=pytest.mark.extensive),
            ("paper", "mlp"),
        ],
    )
    def test_either_field_trains(
        self, capture: Path, tmp_path: Path, name: PresetName, kind: FieldKind
    ) -> None:
        sizes = [text for text in TINY if text.startswith(("planes.", "mlp.", "sampling."))]
        sizes.append("planes.view_features=4")  # kernels are compiled for it anyway
        scale = 1 if kind == "planes" else 2
        config = apply_assignments(
            preset(name, kind),
            [
                *sizes, "mlp.width=64", "importance.share=0", "schedule.rays=128", "quantisation.grid=8",
                "schedule.frames_per_step=2",
                "schedule.keyframe_steps=20", "schedule.isg_steps=30", "schedule.ist_steps=10",
                f"schedule.scale={scale}",
            ],
        )  # fmt: skip
        notes = Notes()
        tiny_encode(tiny_job(capture, tmp_path / "clip.dnv", config=config), notes)
        errors = [10 ** (-report.psnr / 10) for report in notes.reports]
        assert np.mean(errors[-10:]) < 0.85 * np.mean(errors[:10])
