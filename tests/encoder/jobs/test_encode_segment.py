"""From a capture to a file: its contents, what its bytes depend on, and which inputs are refused."""

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

import dynerf
from dynerf_encoder.config.schema import FieldKind
from dynerf_encoder.evaluation.metrics import psnr
from dynerf_encoder.export.tensors import plain_config
from dynerf_encoder.jobs import training_run
from dynerf_encoder.jobs.job import EncodeResult
from dynerf_encoder.training.checkpoint import save_checkpoint
from dynerf_format import FileSource, Reader
from dynerf_format.errors import CaptureError, ConfigError, DynerfError, OutputError, ViewError
from dynerf_format.frame_range import FrameRange
from support.encoding import (
    FRAMES,
    HEIGHT,
    STEPS,
    WIDTH,
    Notes,
    contents,
    scene_pictures,
    scene_poses,
    tiny_config,
    tiny_encode,
    tiny_job,
    write_scene,
)
from support.video import noisy_pictures, write_video

_STAGES = ("keyframes", "isg", "ist")


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("encode") / "scene")


@pytest.fixture(scope="module")
def encoded(capture: Path) -> tuple[EncodeResult, Notes]:
    """The plain tiny encode, and what was reported."""
    notes = Notes()
    return tiny_encode(tiny_job(capture, capture.parent / "plain.dnv"), notes), notes


class TestFile:
    def test_describes_its_contents(self, encoded: tuple[EncodeResult, Notes]) -> None:
        result, _ = encoded
        header, chunks = contents(result.path)
        assert result.bytes == result.path.stat().st_size
        assert (header.frames, float(header.fps), header.first_source_frame) == (FRAMES, 30, 0)
        assert [(camera.name, camera.role) for camera in header.cameras] == [
            ("cam00", "held_out"), ("cam01", "training"), ("cam02", "training"), ("cam03", "training"),
        ]  # fmt: skip
        assert {(camera.width, camera.height) for camera in header.cameras} == {(WIDTH, HEIGHT)}
        assert len(chunks) == 3 + 3  # layers of weights, latents in groups of two frames

    def test_records_the_configuration_and_the_job(self, encoded: tuple[EncodeResult, Notes]) -> None:
        header, _ = contents(encoded[0].path)
        job = {"downscale": 1, "seed": 0, "device": "cpu"}
        assert header.config == {**plain_config(tiny_config()), "job": job}
        assert header.quality["steps"] == STEPS == encoded[0].steps

    def test_states_the_quality_that_a_decoder_reaches(self, encoded: tuple[EncodeResult, Notes]) -> None:
        result, _ = encoded
        truth = scene_pictures(scene_poses(1)[0], FRAMES, WIDTH, HEIGHT)
        with dynerf.open(result.path, device="cpu") as clip:
            camera = clip.cameras[0]
            decoded = [clip.render(camera, frame=float(frame)).rgb for frame in range(FRAMES)]
        error = [
            np.mean((picture.numpy().astype(np.float64) - true / 255) ** 2)
            for picture, true in zip(decoded, truth, strict=True)
        ]
        # the videos' rounding changes it by less
        assert result.psnr == pytest.approx(np.mean(-10 * np.log10(error)), abs=0.05)
        assert result.psnr is not None
        header, _ = contents(result.path)
        assert header.quality["held_out_psnr"] == pytest.approx(result.psnr, abs=1e-4)

    def test_shows_the_moving_scene_from_a_held_out_view(self, capture: Path, tmp_path: Path) -> None:
        job = tiny_job(capture, tmp_path / "clip.dnv", "schedule.scale=6", "planes.scales=12,24")
        result = tiny_encode(job)
        assert result.psnr is not None
        assert result.psnr > 19  # a picture of the mean colour has 13.9 dB
        with dynerf.open(result.path, device="cpu") as clip:
            first, last = (clip.render(clip.cameras[0], frame=frame).rgb for frame in (0.0, FRAMES - 1.0))
        truth = scene_pictures(scene_poses(1)[0], FRAMES, WIDTH, HEIGHT).astype(np.float32) / 255
        for frame, shown, other in ((0, first, last), (FRAMES - 1, last, first)):
            true = shown.new_tensor(truth[frame])
            assert psnr(shown, true) > psnr(other, true) + 1


def test_trained_layers_are_in_the_file_and_measured(capture: Path, tmp_path: Path) -> None:
    settings = ("layers.budget=0.6,1", "layers.steps=0.5", "planes.scales=8,24")
    result = tiny_encode(tiny_job(capture, tmp_path / "layered.dnv", *settings))
    with FileSource(result.path) as source:
        reader = Reader(source)
        reader.verify()
        assert reader.layers(0) == 2
        quality, (first, _) = reader.header.quality, reader.layer_bytes(0)
        coarse, fine = (reader.weights(0, layers)["fine.static.1"] for layers in (1, 2))
    assert first < 0.7 * result.bytes
    assert coarse.steps[0] == pytest.approx(3 * fine.steps[0], rel=1e-5)
    assert quality["held_out_psnr_layers_2"] == quality["held_out_psnr"]
    assert dynerf.evaluate(result.path, capture, every=5, layers=1, device="cpu").psnr == pytest.approx(
        quality["held_out_psnr_layers_1"], abs=1e-3
    )


class TestBytes:
    def test_are_the_same_for_the_same_job(
        self, encoded: tuple[EncodeResult, Notes], capture: Path, tmp_path: Path
    ) -> None:
        result = tiny_encode(tiny_job(capture, tmp_path / "again.dnv"))
        assert result.path.read_bytes() == encoded[0].path.read_bytes()

    def test_do_not_depend_on_what_is_in_the_work_folder(
        self, encoded: tuple[EncodeResult, Notes], capture: Path, tmp_path: Path
    ) -> None:
        job = tiny_job(capture, tmp_path / "cached.dnv", cache=encoded[0].work_folder)
        notes = Notes()
        result = tiny_encode(job, notes)
        assert result.path.read_bytes() == encoded[0].path.read_bytes()
        assert not [what for what, _, _ in notes.progress_calls if "decoding" in what or "maps" in what]

    @pytest.mark.parametrize("kind", ["planes", "mlp"])
    def test_depend_on_the_seed(self, capture: Path, tmp_path: Path, kind: FieldKind) -> None:
        config = tiny_config("schedule.scale=0.25", kind=kind)
        payloads = []
        for seed in (0, 1, 1):
            job = tiny_job(capture, tmp_path / f"{seed}.dnv", config=config, seed=seed)
            payloads.append(contents(tiny_encode(job).path)[1])
        assert payloads[1] == payloads[2]
        finer = 2  # refinement layers, which are all zeros after so few steps
        assert not set(payloads[0][:-finer]) & set(payloads[1])

    @pytest.mark.parametrize("kind", ["planes", "mlp"])
    def test_never_depend_on_the_held_out_pictures(self, tmp_path: Path, kind: FieldKind) -> None:
        config = tiny_config(kind=kind)
        found = []
        for name in ("clean", "poisoned"):
            scene = write_scene(tmp_path / name)
            if name == "poisoned":
                write_video(scene / "cam00.mp4", 255 - noisy_pictures(FRAMES, WIDTH, HEIGHT))
            notes = Notes()
            result = tiny_encode(tiny_job(scene, tmp_path / f"{name}.dnv", config=config), notes)
            header, payloads = contents(result.path)
            found.append((result, replace(header, quality={}), payloads, notes.validations))
        clean, poisoned = found
        assert clean[1:3] == poisoned[1:3]  # all but the quality, weights and latents included
        assert clean[0].psnr != poisoned[0].psnr  # so the poison had an effect
        assert clean[3] != poisoned[3]

    def test_depend_on_the_other_pictures(self, encoded: tuple[EncodeResult, Notes], tmp_path: Path) -> None:
        scene = write_scene(tmp_path / "scene")
        write_video(scene / "cam01.mp4", 255 - noisy_pictures(FRAMES, WIDTH, HEIGHT))
        result = tiny_encode(tiny_job(scene, tmp_path / "clip.dnv"))
        assert contents(result.path)[1][0] != contents(encoded[0].path)[1][0]


class TestChoices:
    def test_a_part_of_the_frames_at_half_size(self, capture: Path, tmp_path: Path) -> None:
        job = tiny_job(capture, tmp_path / "part.dnv", frames=FrameRange(1, 4), downscale=2)
        header, chunks = contents(tiny_encode(job).path)
        assert (header.frames, header.first_source_frame) == (3, 1)
        assert {(camera.width, camera.height) for camera in header.cameras} == {(WIDTH // 2, HEIGHT // 2)}
        assert header.config["job"]["downscale"] == 2
        assert len(chunks) == 3 + 2

    def test_training_on_all_views_leaves_the_quality_unknown(self, capture: Path, tmp_path: Path) -> None:
        notes = Notes()
        result = tiny_encode(tiny_job(capture, tmp_path / "all.dnv", hold_out=()), notes)
        header, _ = contents(result.path)
        assert (result.psnr, notes.validations) == (None, [])
        assert header.quality == {"steps": STEPS}
        assert {camera.role for camera in header.cameras} == {"training"}

    def test_several_views_can_be_held_out(self, capture: Path, tmp_path: Path) -> None:
        job = tiny_job(capture, tmp_path / "two.dnv", hold_out=("cam03", "cam01", "cam03"))
        notes = Notes()
        header, _ = contents(tiny_encode(job, notes).path)
        assert [camera.name for camera in header.cameras if camera.role == "held_out"] == ["cam01", "cam03"]
        assert ("measuring the held-out view", 2 * FRAMES, 2 * FRAMES) in notes.progress_calls

    @pytest.mark.parametrize(
        "settings",
        [
            ("importance.share=0",),
            ("schedule.keyframe_steps=0", "schedule.ist_steps=0"),
            ("schedule.isg_steps=0", "schedule.ist_steps=0"),
            # one channel as in step/test_cpu.py: for each combination, kernels are compiled
            ("planes.basis=0,2", "planes.view_features=0", "planes.channels=1"),
            ("schedule.rays=3", "schedule.frames_per_step=3", "sampling.coarse=2", "sampling.fine=2"),
            ("schedule.frames_per_step=9",),
            ("sampling.union=true",),
        ],
        ids=str,
    )
    def test_unusual_settings_give_a_file_that_can_be_decoded(
        self, encoded: tuple[EncodeResult, Notes], capture: Path, tmp_path: Path, settings: tuple[str, ...]
    ) -> None:
        job = tiny_job(
            capture, tmp_path / "clip.dnv", *settings, "schedule.scale=0.25", cache=encoded[0].work_folder
        )
        with dynerf.open(tiny_encode(job).path, device="cpu") as clip:
            assert clip.render(clip.cameras[1], frame=1.5).rgb.std() > 0

    def test_a_clip_of_one_frame(self, capture: Path, tmp_path: Path) -> None:
        job = tiny_job(capture, tmp_path / "one.dnv", frames=FrameRange(2, 3))
        with dynerf.open(tiny_encode(job).path, device="cpu") as clip:
            assert clip.frames == 1
            assert clip.render(clip.cameras[0], frame=0.0).rgb.std() > 0


class TestImportance:
    def test_each_stage_has_the_map_of_its_own_constants(self, capture: Path, tmp_path: Path) -> None:
        settings = (
            "importance.keyframe_gamma=0.004", "importance.gamma=0.05", "importance.window=2",
            "importance.floor=0.3", "schedule.scale=0.1",
        )  # fmt: skip
        result = tiny_encode(tiny_job(capture, tmp_path / "clip.dnv", *settings))
        made_from = {
            path.stem: json.loads(path.read_text())
            for path in (result.work_folder / "importance").glob("*.json")
        }
        assert made_from["isg_keyframes"]["gamma"] == 0.004
        assert made_from["isg_keyframes"]["frames"] == [0, 3, 4]
        assert made_from["isg"]["gamma"] == 0.05
        assert (made_from["ist"]["window"], made_from["ist"]["floor"]) == (2, 0.3)
        assert {tuple(made["views"]) for made in made_from.values()} == {(1, 2, 3)}


class TestFolders:
    def test_pictures_and_maps_are_kept_and_the_checkpoint_is_removed(
        self, encoded: tuple[EncodeResult, Notes]
    ) -> None:
        result, _ = encoded
        assert result.work_folder == result.path.with_name("plain.work")
        assert sorted(path.name for path in result.work_folder.iterdir()) == ["frames", "importance"]

    def test_another_cache_leaves_nothing_beside_the_output(self, capture: Path, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        job = tiny_job(capture, tmp_path / "out" / "clip.dnv", "schedule.scale=0.1", cache=tmp_path / "cache")
        tiny_encode(job)
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["clip.dnv"]
        assert (tmp_path / "cache" / "frames").is_dir()


class TestWatcher:
    def test_receives_each_step_and_stage(self, encoded: tuple[EncodeResult, Notes]) -> None:
        reports = encoded[1].reports
        assert [report.progress.step for report in reports] == list(range(1, STEPS + 1))
        assert [name for name in _STAGES if name in {report.stage for report in reports}] == list(_STAGES)
        assert reports[-1].progress.position == 1

    def test_receives_ten_validations(self, encoded: tuple[EncodeResult, Notes]) -> None:
        assert len(encoded[1].validations) == 10
        assert encoded[1].validations[-1] > encoded[1].validations[0]

    def test_receives_all_other_work_to_its_end(self, encoded: tuple[EncodeResult, Notes]) -> None:
        worked = {what: (done, total) for what, done, total in encoded[1].progress_calls}
        assert list(worked) == [
            "decoding videos",
            *(f"importance maps ({stage})" for stage in _STAGES),
            "measuring the held-out view",
            "finding empty space",
        ]
        assert all(done == total for done, total in worked.values())


class TestTimeLimit:
    def test_shortens_the_training_but_skips_no_stage(
        self, capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = SimpleNamespace(monotonic=partial(next, itertools.count(0.0, 0.01)))
        monkeypatch.setattr("dynerf_encoder.training.trainer.time", clock)
        monkeypatch.setattr("dynerf_decoder.backends.cpu.compile_clock.time", clock)
        notes = Notes()
        job = tiny_job(capture, tmp_path / "clip.dnv", "schedule.scale=10000", time_limit=1.0)
        result = tiny_encode(job, notes)
        assert [name for name in _STAGES if name in {report.stage for report in notes.reports}] == list(
            _STAGES
        )
        assert 3 <= result.steps < 10_000 * STEPS
        assert contents(result.path)[0].quality["steps"] == result.steps


class TestRefusals:
    @pytest.mark.parametrize(
        "settings",
        [
            ("sampling.coarse=1",), ("sampling.fine=0",), ("sampling.coarse=4097",), ("sampling.fine=5000",),
            ("schedule.frames_per_step=0",), ("schedule.frames_per_step=97",), ("schedule.rays=0",),
            ("schedule.keyframe_interval=0",), ("optimiser.beta2=1",), ("optimiser.beta2=2.5",),
            ("importance.share=1.5",), ("importance.floor=1.5",), ("importance.window=0",),
            ("importance.gamma=0",), ("importance.keyframe_gamma=2",),
            ("quantisation.planes=0",), ("quantisation.network=1e-12",), ("quantisation.latents=9e-5",),
            ("quantisation.coarse=0.5",), ("layers.budget=0.5",), ("layers.budget=0.5,0.5,1",),
            ("layers.budget=0,1",), ("layers.budget=0.5,1,1.5",), ("layers.budget=0.1,0.2,0.3,0.4,0.5,1",),
            ("planes.latent=0",), ("planes.channels=0",), ("planes.hidden=0",), ("planes.scales=8,1",),
            ("planes.coarse_scale=1",), ("planes.coarse_channels=0",), ("planes.basis=2",),
            ("planes.basis=2,0,0",), ("planes.basis=0,0",), ("planes.scales=8,20000",),
            ("planes.view_hidden=0",), ("planes.scales=16000,16000",),
        ],
        ids=str,
    )  # fmt: skip
    def test_settings_that_could_only_fail_are_refused_before_anything_is_done(
        self, capture: Path, tmp_path: Path, settings: tuple[str, ...]
    ) -> None:
        with pytest.raises(ConfigError):
            tiny_encode(tiny_job(capture, tmp_path / "clip.dnv", *settings))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("setting", ["mlp.latent=0", "mlp.depth=0", "mlp.width=1"])
    def test_mlp_settings_that_could_only_fail_are_refused(
        self, capture: Path, tmp_path: Path, setting: str
    ) -> None:
        job = tiny_job(capture, tmp_path / "clip.dnv", config=tiny_config(setting, kind="mlp"))
        with pytest.raises(ConfigError, match=setting.split("=")[0]):
            tiny_encode(job)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("options", "kind", "message"),
        [
            ({"hold_out": ("cam09",)}, ViewError, r"no view 'cam09', there are cam00, cam01, cam02, cam03"),
            ({"hold_out": ("cam00", "cam01", "cam02")}, ViewError, "4 views, 3 held out; expected at least"),
            ({"frames": FrameRange(2, 9)}, CaptureError, "frames 2:9 requested"),
            ({"downscale": 17}, ConfigError, "downscale 17"),
            ({"downscale": 0}, ConfigError, "downscale 0"),
            ({"time_limit": 0.0}, ConfigError, "time-limit: found 0 s"),
        ],
    )
    def test_what_the_capture_lacks_is_named(
        self, capture: Path, tmp_path: Path, options: dict[str, object], kind: type[DynerfError], message: str
    ) -> None:
        with pytest.raises(kind, match=message):
            tiny_encode(tiny_job(capture, tmp_path / "clip.dnv", **options))
        assert not (tmp_path / "clip.dnv").exists()

    @pytest.mark.parametrize(
        "damage",
        [
            lambda folder: (folder / "clip.dnv").mkdir(),
            lambda folder: (folder / "clip.work").write_text("a file"),
        ],
    )
    def test_a_path_that_cannot_be_written_is_named(
        self, capture: Path, tmp_path: Path, damage: Callable[[Path], object]
    ) -> None:
        damage(tmp_path)
        with pytest.raises(OutputError, match=f"^{tmp_path}/clip"):
            tiny_encode(tiny_job(capture, tmp_path / "clip.dnv"))

    def test_an_error_leaves_an_older_file_alone(self, capture: Path, tmp_path: Path) -> None:
        (tmp_path / "clip.dnv").write_bytes(b"older")
        config = tiny_config("optimiser.planes_rate=1e30", "optimiser.network_rate=1e30")
        with pytest.raises(ConfigError, match="diverged"):
            tiny_encode(tiny_job(capture, tmp_path / "clip.dnv", config=config))
        assert (tmp_path / "clip.dnv").read_bytes() == b"older"


@pytest.mark.parametrize(("rate", "count"), [(math.inf, 1 + STEPS), (1e-3, 2)])
def test_a_large_checkpoint_is_saved_less_often(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float, count: int
) -> None:
    """Before the training and after each step, or only after the last when more bytes exceed the rate."""
    saved = Mock(side_effect=save_checkpoint)
    monkeypatch.setattr(training_run, "save_checkpoint", saved)
    monkeypatch.setattr(training_run, "_CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(training_run, "_CHECKPOINT_RATE", rate)
    tiny_encode(tiny_job(capture, tmp_path / "b.dnv"))
    assert saved.call_count == count


def test_a_clip_declares_the_hull_of_its_training_cameras(tmp_path: Path) -> None:
    job = tiny_job(write_scene(tmp_path / "scene", cameras=5), tmp_path / "a.dnv", hold_out=("cam02",))
    tiny_encode(job)
    # they are on a line, at x = 0, -1, (1, held out), -0.5 and 0.5
    assert contents(job.output)[0].viewing_volume == ((-1.0, -0.1, 0.0), (0.5, 0.05, 0.0))
