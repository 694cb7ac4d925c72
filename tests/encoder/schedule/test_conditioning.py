"""The paper's baselines as configurations: time or nothing instead of a latent, and fewer sampling stages."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import dynerf
from dynerf_encoder.config.schema import Config, FieldKind
from dynerf_encoder.schedule.conditioning import fit_latents, initial_latents, time_latents
from dynerf_encoder.schedule.stages import plan_training
from dynerf_format import FileSource, Reader
from support.encoding import Notes, contents, tiny_config, tiny_encode, tiny_job, write_scene


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("conditioning") / "scene")


def _config(kind: str, *more: str, field: FieldKind = "planes") -> Config:
    return fit_latents(tiny_config(f"conditioning.kind={kind}", *more, kind=field))


class TestTimeLatents:
    def test_are_nerfs_encoding_of_time_from_minus_one_to_one(self) -> None:
        config = _config("time", "conditioning.frequencies=3").conditioning
        t = np.linspace(-1, 1, 5)
        expected = np.stack(
            [t, np.sin(t), np.cos(t), np.sin(2 * t), np.cos(2 * t), np.sin(4 * t), np.cos(4 * t)], axis=-1
        )
        np.testing.assert_allclose(time_latents(5, config).numpy(), expected, atol=1e-6)

    def test_ten_octaves_distinguish_neighbouring_frames_of_a_long_clip(self) -> None:
        latents = time_latents(300, _config("time").conditioning)
        assert float((latents[1:] - latents[:-1]).norm(dim=-1).min()) > 1

    def test_a_single_frame_has_one(self) -> None:
        assert time_latents(1, _config("time").conditioning).shape == (1, 21)


@pytest.mark.parametrize("field", ["planes", "mlp"])
@pytest.mark.parametrize("kind", ["time", "none"])
class TestFixedLatents:
    def test_are_not_learned_and_are_stored_in_the_file(
        self, capture: Path, tmp_path: Path, kind: str, field: FieldKind
    ) -> None:
        config = _config(kind, field=field)
        tiny_encode(tiny_job(capture, tmp_path / "a.dnv", config=config))
        plan = plan_training(config.schedule, 5, "isg+ist", (0, 3, 4))
        expected = initial_latents(config, plan, 5, 21 if kind == "time" else 1, 0).numpy()
        with FileSource(tmp_path / "a.dnv") as source:
            found = Reader(source).latents(0, 5)
        if field == "planes":
            np.testing.assert_allclose(found, expected, atol=0.006)
        # Latents of an MLP are stored in their principal axes, which preserves their inner products.
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=0.006 * 21)
        with dynerf.open(tmp_path / "a.dnv", device="cpu") as clip:
            first, last = (clip.render(clip.cameras[0], frame=frame).rgb for frame in (0.0, 4.0))
        assert torch.equal(first, last) is (kind == "none")


def test_a_nerf_per_frame_is_a_clip_of_one_frame(capture: Path, tmp_path: Path) -> None:
    from dynerf_format.frame_range import FrameRange

    job = tiny_job(capture, tmp_path / "a.dnv", config=_config("none"), frames=FrameRange(2, 3))
    assert tiny_encode(job).psnr is not None
    assert contents(job.output)[0].frames == 1


@pytest.mark.parametrize(
    ("strategy", "stages", "maps"),
    [
        ("isg+ist", {"keyframes", "isg", "ist"}, {"isg.map", "isg_keyframes.map", "ist.map", "median.map"}),
        ("isg", {"keyframes", "isg"}, {"isg.map", "isg_keyframes.map", "median.map"}),
        ("ist", {"keyframes", "ist"}, {"ist.map"}),
        ("uniform", {"keyframes", "uniform"}, set()),
    ],
)
def test_a_strategy_builds_only_the_maps_it_samples_from(
    capture: Path, tmp_path: Path, strategy: str, stages: set[str], maps: set[str]
) -> None:
    notes = Notes()
    result = tiny_encode(tiny_job(capture, tmp_path / "a.dnv", f"importance.strategy={strategy}"), notes)
    assert {report.stage for report in notes.reports} == stages
    assert {path.name for path in (result.work_folder / "importance").glob("*.map")} == maps


def test_learned_latents_keep_their_size() -> None:
    config = tiny_config()
    assert fit_latents(config) == config
    assert (
        fit_latents(replace(config, conditioning=replace(config.conditioning, kind="none"))).mlp.latent == 1
    )
