"""Killed at any moment and resumed, a job gives the same bytes; no other job can resume it."""

import io
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dynerf_encoder.export.tensors import plain_config
from dynerf_encoder.training.checkpoint import load_checkpoint
from dynerf_encoder.training.resume import resume_relevant_options
from support.encoding import (
    FRAMES,
    HEIGHT,
    STEPS,
    WIDTH,
    Forks,
    Strike,
    encode_arguments,
    tiny_config,
    write_scene,
)
from support.video import noisy_pictures, write_video

_NEVER = 1e9
_STEP = "dynerf_encoder.training.trainer:Trainer._train_step"
_SAVE = "dynerf_encoder.jobs.training_run:save_checkpoint"
_MEASURE = "dynerf_encoder.training.validation:HeldOutValidator.mean_psnr"


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("resume") / "scene")


@pytest.fixture(scope="module")
def uninterrupted(capture: Path) -> dict[str, bytes]:
    """The result of the job without an interruption, by field."""
    found = {}
    for kind in ("planes", "mlp"):
        output = capture.parent / f"{kind}.dnv"
        ended = Forks.shared().run(encode_arguments(capture, output, "--field", kind), every=_NEVER)
        assert ended.status == 0, ended.stderr
        found[kind] = output.read_bytes()
    return found


@pytest.fixture(scope="module")
def stopped(capture: Path) -> Path:
    """A folder with a job that was interrupted in its fifth step; to be copied, not modified."""
    folder = capture.parent / "stopped"
    folder.mkdir()
    strike = Strike(_STEP, 5, signal.SIGINT)
    ended = Forks.shared().run(encode_arguments(capture, folder / "clip.dnv"), strike, every=_NEVER)
    assert ended.status == 130
    return folder


def _copied(stopped: Path, folder: Path) -> tuple[Path, Path]:
    """Output and checkpoint of a copy of the stopped job."""
    shutil.copytree(stopped, folder, dirs_exist_ok=True)
    return folder / "clip.dnv", folder / "clip.work" / "checkpoint.npz"


_MOMENTS = [
    (Strike("dynerf_encoder.importance.build:isg_weights", 2), None),
    (Strike(_STEP, 1), 0),
    (Strike(_STEP, 16), 15),
    (Strike("zipfile:ZipFile.open", 200), None),  # while writing a checkpoint, not the first
    (Strike("dynerf_format.container.writer:FileSource"), STEPS),  # written, not renamed yet
]
_MORE_MOMENTS = [
    (Strike("dynerf_encoder.frames.storing:_check_size", 8), None),
    (Strike("dynerf_encoder.importance.build:ist_weights", 2), None),
    (Strike(_SAVE, 1, after=True), 0),  # one is saved before the first step
    (Strike(_SAVE, 7, after=True), 6),  # the keyframes' last step
    (Strike(_SAVE, STEPS + 1, after=True), STEPS),
    (Strike(_MEASURE), STEPS),
]


class TestKilled:
    @pytest.mark.parametrize(
        ("strike", "done"),
        [*_MOMENTS, *(pytest.param(*moment, marks=pytest.mark.extensive) for moment in _MORE_MOMENTS)],
        ids=lambda value: (
            f"{value.target.partition(':')[2]}-{value.call}" if isinstance(value, Strike) else ""
        ),
    )
    def test_at_any_moment_it_goes_on_to_the_same_file(
        self, capture: Path, tmp_path: Path, uninterrupted: dict[str, bytes], strike: Strike, done: int | None
    ) -> None:
        output = tmp_path / "clip.dnv"
        killed = Forks.shared().run(encode_arguments(capture, output), strike)
        assert killed.status == -signal.SIGKILL
        assert not output.exists()
        checkpoint = tmp_path / "clip.work" / "checkpoint.npz"
        if done is not None:
            assert load_checkpoint(checkpoint).state["step"] == done
        resumed = Forks.shared().run(encode_arguments(capture, output, "--resume"), every=_NEVER)
        assert resumed.status == 0, resumed.stderr
        if done is not None:
            assert f"resuming after step {done} of {STEPS}" in resumed.stderr
        assert output.read_bytes() == uninterrupted["planes"]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.dnv", "clip.log.jsonl", "clip.work"]
        assert sorted(path.name for path in output.with_suffix(".work").iterdir()) == ["frames", "importance"]

    def test_while_a_checkpoint_is_written_the_one_before_counts(
        self, capture: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
    ) -> None:
        output, folder = tmp_path / "clip.dnv", tmp_path / "clip.work"
        strike = Strike("dynerf_encoder.training.checkpoint:np.savez", 4)
        assert Forks.shared().run(encode_arguments(capture, output), strike).status == -signal.SIGKILL
        assert [path for path in folder.iterdir() if path.name.startswith(".checkpoint.tmp-")]
        resumed = Forks.shared().run(encode_arguments(capture, output, "--resume"))
        assert f"resuming after step 2 of {STEPS}" in resumed.stderr
        assert output.read_bytes() == uninterrupted["planes"]
        assert sorted(path.name for path in folder.iterdir()) == ["frames", "importance"]

    def test_some_steps_after_a_checkpoint_these_are_done_again(
        self, stopped: Path, capture: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
    ) -> None:
        output, checkpoint = _copied(stopped, tmp_path)
        again = encode_arguments(capture, output, "--resume")
        assert Forks.shared().run(again, Strike(_STEP, 11), every=_NEVER).status == -signal.SIGKILL
        assert load_checkpoint(checkpoint).state["step"] == 5
        assert Forks.shared().run(again, every=_NEVER).status == 0
        assert output.read_bytes() == uninterrupted["planes"]

    def test_repeatedly_with_the_mlp(
        self, capture: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
    ) -> None:
        output = tmp_path / "clip.dnv"
        arguments = encode_arguments(capture, output, "--field", "mlp", "--resume")
        for step in (6, 13, 20):
            assert Forks.shared().run(arguments, Strike(_SAVE, 7, after=True)).status == -signal.SIGKILL
            assert load_checkpoint(tmp_path / "clip.work" / "checkpoint.npz").state["step"] == step
        assert Forks.shared().run(arguments).status == 0
        assert output.read_bytes() == uninterrupted["mlp"]

    def test_between_the_file_and_the_end_of_its_checkpoint(
        self, capture: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
    ) -> None:
        output = tmp_path / "clip.dnv"
        strike = Strike("dynerf_encoder.jobs.clip_file:write_clip", after=True)
        assert Forks.shared().run(encode_arguments(capture, output), strike).status == -signal.SIGKILL
        assert output.read_bytes() == uninterrupted["planes"]
        assert Forks.shared().run(encode_arguments(capture, output, "--resume")).status == 0
        assert output.read_bytes() == uninterrupted["planes"]
        assert not (tmp_path / "clip.work" / "checkpoint.npz").exists()

    def test_an_older_file_of_the_name_stays_until_the_new_one_is_whole(
        self, capture: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
    ) -> None:
        output = tmp_path / "clip.dnv"
        output.write_bytes(b"older")
        killed = Forks.shared().run(encode_arguments(capture, output), Strike(_STEP, 2), every=_NEVER)
        assert killed.status == -signal.SIGKILL  # before a checkpoint was due
        again = encode_arguments(capture, output, "--resume")
        strike = Strike("dynerf_format.container.writer:FileSource")
        assert Forks.shared().run(again, strike).status == -signal.SIGKILL
        assert output.read_bytes() == b"older"
        assert Forks.shared().run(encode_arguments(capture, output, "--resume")).status == 0
        assert output.read_bytes() == uninterrupted["planes"]

    @pytest.mark.parametrize("target", ["frames.storing:_check_size", "importance.build:isg_weights"])
    def test_before_its_first_checkpoint_an_older_file_is_not_taken_for_the_result(
        self, capture: Path, tmp_path: Path, uninterrupted: dict[str, bytes], target: str
    ) -> None:
        output = tmp_path / "clip.dnv"
        output.write_bytes(b"older")
        strike = Strike(f"dynerf_encoder.{target}", 2)
        assert Forks.shared().run(encode_arguments(capture, output), strike).status == -signal.SIGKILL
        assert Forks.shared().run(encode_arguments(capture, output, "--resume"), every=_NEVER).status == 0
        assert output.read_bytes() == uninterrupted["planes"]


class TestSameJob:
    def test_needs_no_checkpoint_to_start_from(
        self, capture: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
    ) -> None:
        output = tmp_path / "clip.dnv"
        assert Forks.shared().run(encode_arguments(capture, output, "--resume"), every=_NEVER).status == 0
        assert output.read_bytes() == uninterrupted["planes"]

    def test_may_find_its_capture_at_another_path(
        self, stopped: Path, capture: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
    ) -> None:
        output, _ = _copied(stopped, tmp_path)
        moved = Path(shutil.copytree(capture, tmp_path / "moved"))
        ended = Forks.shared().run(encode_arguments(moved, output, "--resume"), every=_NEVER)
        assert f"resuming after step 5 of {STEPS}" in ended.stderr
        assert output.read_bytes() == uninterrupted["planes"]

    def test_without_resume_starts_afresh(
        self, stopped: Path, capture: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
    ) -> None:
        output, checkpoint = _copied(stopped, tmp_path)
        ended = Forks.shared().run(encode_arguments(capture, output), every=_NEVER)
        assert "resuming" not in ended.stderr
        assert output.read_bytes() == uninterrupted["planes"]
        assert not checkpoint.exists()

    def test_resuming_a_finished_job_is_refused(self, capture: Path, tmp_path: Path) -> None:
        output = tmp_path / "clip.dnv"
        arguments = encode_arguments(capture, output, "--set", "schedule.scale=0.2")
        assert Forks.shared().run(arguments, every=_NEVER).status == 0
        whole = output.read_bytes()
        ended = Forks.shared().run([*arguments, "--resume"])
        assert ended.status == 2
        assert ended.stderr == f"dynerf: error: {output}: is finished, there is nothing to resume\n"
        assert output.read_bytes() == whole


def _replace_video(folder: Path, name: str) -> None:
    write_video(folder / f"{name}.mp4", noisy_pictures(FRAMES, WIDTH, HEIGHT), pixel_format="yuv444p")


def _move_camera(folder: Path, camera: int) -> None:
    rows = np.load(folder / "poses_bounds.npy")
    rows[camera, 3] += 0.1
    np.save(folder / "poses_bounds.npy", rows)


class TestOtherJobs:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--seed", "1"), "seed was 0, now 1"),
            (("--set", "schedule.scale=2"), "configuration.schedule.scale was 1.0, now 2.0"),
            (("--set", "planes.scales=8,16"), "configuration.planes.scales was [8, 12], now [8, 16]"),
            (("--set", "rate.start=0.1"), "configuration.rate.start was absent, now 0.1"),
            (("--field", "mlp"), 'configuration.field was "planes", now "mlp"'),
            (("--hold-out", "cam02"), 'hold_out was ["cam00"], now ["cam02"]'),
            (("--hold-out", "none"), 'hold_out was ["cam00"], now []'),
            (("--space", "box"), 'space was "auto", now "box"'),
            (("--time-limit", "1m"), "time_limit was null, now 60.0"),
            (("--threads", "2"), "threads was 1, now 2"),
            (("--frames", "0:4"), "capture was "),
            (("--downscale", "2"), "capture was "),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_other_options_are_refused_by_name(
        self, stopped: Path, capture: Path, tmp_path: Path, options: tuple[str, ...], message: str
    ) -> None:
        output, checkpoint = _copied(stopped, tmp_path)
        before = checkpoint.read_bytes()
        ended = Forks.shared().run(encode_arguments(capture, output, *options, "--resume"))
        assert ended.status == 2
        last = ended.stderr.splitlines()[-1]
        assert last.startswith(f"dynerf: error: {checkpoint}: belongs to another job: ")
        assert message in last
        assert checkpoint.read_bytes() == before
        assert not output.exists()

    @pytest.mark.parametrize(
        "change",
        [
            lambda folder: _replace_video(folder, "cam01"),
            lambda folder: _replace_video(folder, "cam00"),
            lambda folder: _move_camera(folder, 2),
        ],
        ids=["a training video", "the held-out video", "a pose"],
    )
    def test_a_changed_capture_is_refused(
        self, stopped: Path, capture: Path, tmp_path: Path, change: Callable[[Path], None]
    ) -> None:
        output, checkpoint = _copied(stopped, tmp_path)
        changed = Path(shutil.copytree(capture, tmp_path / "changed"))
        change(changed)
        ended = Forks.shared().run(encode_arguments(changed, output, "--resume"))
        assert ended.status == 2
        assert f"{checkpoint}: belongs to another job: capture was " in ended.stderr
        assert not output.exists()

    def test_a_refusal_does_not_damage_the_job(
        self, stopped: Path, capture: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
    ) -> None:
        output, _ = _copied(stopped, tmp_path)
        other = encode_arguments(capture, output, "--downscale", "2", "--resume")
        assert Forks.shared().run(other).status == 2  # its pictures have replaced those of the job
        ended = Forks.shared().run(encode_arguments(capture, output, "--resume"), every=_NEVER)
        assert f"resuming after step 5 of {STEPS}" in ended.stderr
        assert output.read_bytes() == uninterrupted["planes"]


def test_killed_in_the_training_of_layers_a_job_trains_them_anew(capture: Path, tmp_path: Path) -> None:
    options = ("--set", "planes.scales=8,24", "--set", "layers.budget=0.6,1")
    straight, output = tmp_path / "straight.dnv", tmp_path / "clip.dnv"
    assert Forks.shared().run(encode_arguments(capture, straight, *options), every=_NEVER).status == 0
    struck = Strike("dynerf_encoder.layers.coarse_layers:refit")
    Forks.shared().run(encode_arguments(capture, output, *options), struck, every=_NEVER)
    assert not output.exists()
    ended = Forks.shared().run(encode_arguments(capture, output, *options, "--resume"), every=_NEVER)
    assert f"resuming after step {STEPS} of {STEPS}" in ended.stderr
    assert "training quality layer 1" in ended.stderr
    assert output.read_bytes() == straight.read_bytes()


_OTHER_RATE = ("--quality", "3", "--set", "quantisation.group=3")


class TestSettingsOfTheFile:
    """Rate settings may change until the rate term is active; after that only those without effect so far."""

    @pytest.mark.parametrize(
        ("position", "before", "after", "same"),
        [
            (0.3, (), ("rate.weight=1",), True),
            (0.3, (), ("quantisation.planes=0.5", "quantisation.latents=0.5"), True),
            (0.3, (), ("rate.start=0.1",), False),
            (0.3, (), ("schedule.scale=2",), False),
            (0.6, (), ("rate.weight=1",), False),
            (0.6, (), ("rate.target=9000",), False),
            (0.6, (), ("quantisation.planes=0.5",), False),
            (0.6, (), ("quantisation.group=3", "quantisation.grid=0"), True),
            (0.6, ("rate.weight=0",), ("rate.weight=0", "quantisation.planes=0.5"), True),
            (0.6, ("rate.weight=0", "rate.target=9000"), ("rate.weight=0", "rate.target=8000"), False),
            (0.6, (), ("layers.budget=0.5,1",), True),
            (1.0, (), ("quantisation.planes=0.5",), True),
            (1.0, (), ("rate.target=9000",), True),
            (1.0, (), ("rate.weight=1",), False),
        ],
        ids=str,
    )
    def test_which_of_them_matter_at_a_position(
        self, position: float, before: tuple[str, ...], after: tuple[str, ...], same: bool
    ) -> None:
        one, two = (
            resume_relevant_options({"configuration": plain_config(tiny_config(*changes))}, position)
            for changes in (before, after)
        )
        assert (one == two) is same

    def test_may_change_until_the_rate_term_is_active(
        self, stopped: Path, capture: Path, tmp_path: Path
    ) -> None:
        output, _ = _copied(stopped, tmp_path)
        straight = tmp_path / "straight.dnv"
        ended = Forks.shared().run(encode_arguments(capture, output, *_OTHER_RATE, "--resume"), every=_NEVER)
        assert f"resuming after step 5 of {STEPS}" in ended.stderr
        assert Forks.shared().run(encode_arguments(capture, straight, *_OTHER_RATE), every=_NEVER).status == 0
        assert output.read_bytes() == straight.read_bytes()

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("quantisation.planes=0.5", "configuration.quantisation.planes was 0.16, now 0.5"),
            ("quantisation.group=3", ""),
        ],
    )
    def test_later_only_groups_and_grids_may(
        self, capture: Path, tmp_path: Path, option: str, message: str
    ) -> None:
        output = tmp_path / "clip.dnv"
        strike = Strike(_STEP, 16, signal.SIGINT)
        assert Forks.shared().run(encode_arguments(capture, output), strike, every=_NEVER).status == 130
        again = encode_arguments(capture, output, "--set", option, "--resume")
        ended = Forks.shared().run(again, every=_NEVER)
        assert ended.status == (2 if message else 0)
        assert message in ended.stderr

    @pytest.mark.parametrize("off", [True, False])
    def test_steps_may_after_the_training_and_without_a_rate_term(
        self, capture: Path, tmp_path: Path, off: bool
    ) -> None:
        output, straight = tmp_path / "clip.dnv", tmp_path / "straight.dnv"
        weight = ("--set", "rate.weight=0") if off else ()
        wide = ("--set", "quantisation.planes=0.5")
        strike = Strike(_STEP, 16) if off else Strike(_MEASURE)
        killed = Forks.shared().run(encode_arguments(capture, output, *weight), strike)
        assert killed.status == -signal.SIGKILL
        again = Forks.shared().run(encode_arguments(capture, output, *weight, *wide, "--resume"))
        assert again.status == 0, again.stderr
        assert Forks.shared().run(encode_arguments(capture, straight, *weight, *wide)).status == 0
        assert (output.read_bytes() == straight.read_bytes()) == off  # the rate term used the other steps


class TestTarget:
    def test_interrupted_during_rate_control_it_gives_the_same_file(
        self, capture: Path, tmp_path: Path
    ) -> None:
        output, straight = tmp_path / "clip.dnv", tmp_path / "straight.dnv"
        target = ("--target-size", "6500")
        assert Forks.shared().run(encode_arguments(capture, straight, *target), every=_NEVER).status == 0
        assert straight.stat().st_size == pytest.approx(6500, rel=0.05)
        strike = Strike(_STEP, 16, signal.SIGINT)
        stopped = Forks.shared().run(encode_arguments(capture, output, *target), strike, every=_NEVER)
        assert stopped.status == 130
        ended = Forks.shared().run(encode_arguments(capture, output, *target, "--resume"), every=_NEVER)
        assert f"resuming after step 16 of {STEPS}" in ended.stderr
        assert output.read_bytes() == straight.read_bytes()

    def test_one_that_cannot_be_met_costs_no_training(self, capture: Path, tmp_path: Path) -> None:
        output = tmp_path / "clip.dnv"
        arguments = encode_arguments(capture, output, "--target-size", "900kB")
        ended = Forks.shared().run(arguments, every=_NEVER)
        assert ended.status == 2
        assert "--target-size 900000: the nearest that rounding reaches is " in ended.stderr
        assert not output.exists()
        arguments = encode_arguments(capture, output, "--target-size", "8kB", "--resume")
        ended = Forks.shared().run(arguments, every=_NEVER)
        assert f"resuming after step {STEPS} of {STEPS}" in ended.stderr
        assert output.stat().st_size == pytest.approx(8000, rel=0.05)


class TestDamage:
    @pytest.mark.parametrize(
        "damage",
        [
            lambda whole: whole[:0],
            lambda whole: whole[: len(whole) // 2],
            lambda whole: whole[:-1],
            lambda whole: whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:],
            lambda whole: b"x" * len(whole),
        ],
        ids=["empty", "half", "a byte short", "a bit flipped", "something else"],
    )
    def test_a_damaged_checkpoint_is_refused(
        self, stopped: Path, capture: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        output, checkpoint = _copied(stopped, tmp_path)
        checkpoint.write_bytes(damage(checkpoint.read_bytes()))
        ended = Forks.shared().run(encode_arguments(capture, output, "--resume"))
        assert ended.status == 2
        assert f"dynerf: error: {checkpoint}: not a whole checkpoint" in ended.stderr
        assert "encode again without --resume" in ended.stderr
        assert not output.exists()

    def test_a_checkpoint_with_pickled_objects_is_refused_and_runs_nothing(
        self, stopped: Path, capture: Path, tmp_path: Path
    ) -> None:
        output, checkpoint = _copied(stopped, tmp_path)
        trace = tmp_path / "executed"

        class Bomb:
            def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
                return Path.touch, (trace,)

        with np.load(checkpoint) as archive:
            arrays = {name: archive[name] for name in archive.files}
        file = io.BytesIO()
        bomb = np.array([Bomb()], dtype=object)
        np.savez(file, **{**arrays, "array/latents": bomb})
        checkpoint.write_bytes(file.getvalue())
        ended = Forks.shared().run(encode_arguments(capture, output, "--resume"))
        assert ended.status == 2
        assert "Object arrays cannot be loaded" in ended.stderr
        assert not trace.exists()

    def test_arrays_of_another_shape_are_refused(self, stopped: Path, capture: Path, tmp_path: Path) -> None:
        output, checkpoint = _copied(stopped, tmp_path)
        with np.load(checkpoint) as archive:
            arrays = {name: archive[name] for name in archive.files}
        arrays["array/latents"] = arrays["array/latents"][:, :2]
        with checkpoint.open("wb") as file:
            np.savez(file, **arrays)
        ended = Forks.shared().run(encode_arguments(capture, output, "--resume"))
        assert ended.status == 2
        assert "the checkpoint does not hold this model" in ended.stderr
