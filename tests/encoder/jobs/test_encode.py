"""A clip of several segments: the same bytes however it is encoded, interrupted and resumed."""

import json
import multiprocessing
import os
import shutil
import signal
import time
from fractions import Fraction
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_encoder.jobs.encode import Segmentation, WarmStart, encode
from dynerf_encoder.jobs.job import SegmentInputs
from dynerf_encoder.jobs.process_pool import ProcessPoolRunner
from dynerf_encoder.jobs.scheduler import MAX_ATTEMPTS
from dynerf_encoder.jobs.segments import SegmentLength
from dynerf_encoder.training.trainer import Trainer
from dynerf_encoder.training.warm_start import start_from
from dynerf_format import FileSource, Header, Reader
from dynerf_format.errors import ConfigError, FormatError, OutputError
from dynerf_format.frame_range import FrameRange
from support.encoding import (
    STEPS,
    Forks,
    Notes,
    Strike,
    contents,
    encode_arguments,
    one_thread,
    tiny_config,
    tiny_encode,
    tiny_job,
    write_scene,
)

FRAMES = 8
_NEVER = 1e9
_STEP = "dynerf_encoder.training.trainer:Trainer._train_step"
_SEGMENTATION = Segmentation(SegmentLength(Fraction(3), "f"), overlap=1)
_SEGMENT = ("--segment", "3f", "--overlap", "1")


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("long") / "scene", frames=FRAMES)


@pytest.fixture(scope="module")
def serial(capture: Path) -> Path:
    """The scene in segments of 3, 3 and 2 frames; must not be written to."""
    output = capture.parent / "serial.dnv"
    ended = Forks.shared().run(encode_arguments(capture, output, *_SEGMENT), every=_NEVER)
    assert ended.status == 0, ended.stderr
    assert "3 segments of 2 to 3 frames, each also trained on 1 frames" in ended.stderr
    return output


@pytest.fixture
def arguments(capture: Path, tmp_path: Path) -> list[str]:
    return encode_arguments(capture, tmp_path / "clip.dnv", *_SEGMENT)


def _header(path: Path) -> Header:
    with FileSource(path) as source:
        return Reader(source).header


def _segments(folder: Path) -> list[str]:
    """The contents of the segments folder of ``clip.dnv``."""
    return sorted(path.name for path in (folder / "clip.work" / "segments").iterdir())


class TestWhole:
    def test_each_segment_has_its_own_model_and_frames(self, serial: Path) -> None:
        header = _header(serial)
        assert [(s.first_frame, s.frames) for s in header.segments] == [(0, 3), (3, 3), (6, 2)]
        assert (header.frames, header.first_source_frame) == (FRAMES, 0)
        with FileSource(serial) as source:
            reader = Reader(source)
            weights = [reader.weights(number) for number in range(3)]
        assert all(
            any(not np.array_equal(one[name].symbols, two[name].symbols) for name in one)
            for one, two in ((weights[0], weights[1]), (weights[1], weights[2]))
        )

    def test_the_work_folder_is_removed_when_the_clip_is_written(self, serial: Path) -> None:
        assert sorted(path.name for path in serial.parent.glob("serial*")) == [
            "serial.dnv", "serial.log.jsonl",
        ]  # fmt: skip

    def test_the_psnr_is_the_mean_over_all_frames(self, capture: Path, serial: Path) -> None:
        events = [json.loads(line) for line in serial.with_suffix(".log.jsonl").read_text().splitlines()]
        assert events[-1]["event"] == "done"
        assert events[-1]["steps"] == 3 * STEPS
        assert _header(serial).quality["held_out_psnr"] == pytest.approx(events[-1]["psnr"])

    def test_a_segment_is_what_encoding_its_frames_alone_gives(
        self, capture: Path, serial: Path, tmp_path: Path
    ) -> None:
        tiny_encode(
            tiny_job(
                capture, tmp_path / "b.dnv", frames=FrameRange(2, 7), segment=SegmentInputs(overlap=(1, 1))
            )
        )
        header, chunks = contents(tmp_path / "b.dnv")
        assert (header.frames, header.first_source_frame) == (3, 3)
        with FileSource(serial) as source:
            reader = Reader(source)
            middle = [reader.read_chunk(entry) for entry in reader.directory if entry.segment == 1]
        assert middle == chunks

    def test_a_clip_of_one_segment_is_encoded_as_a_segment(self, capture: Path, tmp_path: Path) -> None:
        tiny_encode(tiny_job(capture, tmp_path / "a.dnv", frames=FrameRange(0, 4)))
        with one_thread():
            result = encode(
                tiny_job(capture, tmp_path / "b.dnv", frames=FrameRange(0, 4)), Notes(), _SEGMENTATION
            )
        assert (tmp_path / "a.dnv").read_bytes() == (tmp_path / "b.dnv").read_bytes()
        assert (result.work_folder / "frames").is_dir()

    def test_between_two_segments_no_latents_are_mixed(self, serial: Path) -> None:
        with FileSource(serial) as source:
            clip = Clip(Reader(source))
            camera = clip.cameras[0]
            pictures = {
                frame: clip.render(camera, frame=frame).numpy() for frame in (2.0, 2.4, 2.6, 3.0, 1.4)
            }
        assert np.array_equal(pictures[2.4], pictures[2.0])
        assert np.array_equal(pictures[2.6], pictures[3.0])
        assert not np.array_equal(pictures[1.4], pictures[2.0])

    def test_progress_covers_all_segments_and_never_falls(self, capture: Path, tmp_path: Path) -> None:
        notes = Notes()
        with one_thread():
            encode(tiny_job(capture, tmp_path / "a.dnv"), notes, _SEGMENTATION)
        assert {what for what, _, _ in notes.progress_calls} == {"encoding segments"}
        done = [done for _, done, _ in notes.progress_calls]
        assert done == sorted(done)
        assert notes.progress_calls[-1][1] == notes.progress_calls[-1][2] == 3000


class TestInterrupted:
    @pytest.mark.parametrize(
        ("strike", "finished"),
        [
            pytest.param(Strike(_STEP, 5), 0, marks=pytest.mark.extensive),
            (Strike(_STEP, STEPS + 5), 1),
            pytest.param(
                Strike("dynerf_encoder.frames.storing:_check_size", 20), 1, marks=pytest.mark.extensive
            ),
            (Strike("dynerf_encoder.jobs.scheduler:shutil.rmtree", 2), 2),
            (Strike("dynerf_encoder.jobs.encode:join_clips"), 3),
        ],
        ids=["in the first", "in the second", "while decoding", "between two", "before the end"],
    )
    def test_killed_and_resumed_it_gives_the_same_file_and_repeats_no_segment(
        self, arguments: list[str], tmp_path: Path, serial: Path, strike: Strike, finished: int
    ) -> None:
        assert Forks.shared().run(arguments, strike, every=_NEVER).status == -signal.SIGKILL
        files = [name for name in _segments(tmp_path) if name.endswith(".dnv")]
        assert files == [f"{number:05}.dnv" for number in range(finished)]
        resumed = Forks.shared().run([*arguments, "--resume"], every=_NEVER)
        assert resumed.status == 0, resumed.stderr
        if finished:
            assert f"resuming: {finished} of 3 segments are finished" in resumed.stderr
        lines = [line for line in resumed.stderr.splitlines() if line.startswith("dynerf: segment ")]
        assert len(lines) == 3 - finished
        assert (tmp_path / "clip.dnv").read_bytes() == serial.read_bytes()
        assert not (tmp_path / "clip.work").exists()

    def test_ctrl_c_leaves_a_checkpoint_of_the_segment_under_way(
        self, arguments: list[str], tmp_path: Path, serial: Path
    ) -> None:
        stopped = Forks.shared().run(arguments, Strike(_STEP, STEPS + 5, signal.SIGINT), every=_NEVER)
        assert stopped.status == 130
        assert _segments(tmp_path) == ["00000.dnv", "00001.work", "plan.json"]
        steps = Strike(_STEP, 2 * STEPS - 5)  # one step less than the rest
        resumed = Forks.shared().run([*arguments, "--resume"], steps, every=_NEVER)
        assert resumed.status == -signal.SIGKILL
        assert Forks.shared().run([*arguments, "--resume"], every=_NEVER).status == 0
        assert (tmp_path / "clip.dnv").read_bytes() == serial.read_bytes()

    def test_a_damaged_segment_is_encoded_again(
        self, arguments: list[str], tmp_path: Path, serial: Path
    ) -> None:
        strike = Strike("dynerf_encoder.jobs.encode:join_clips")
        Forks.shared().run(arguments, strike, every=_NEVER)
        damaged = tmp_path / "clip.work" / "segments" / "00001.dnv"
        damaged.write_bytes(damaged.read_bytes()[:-50])
        resumed = Forks.shared().run([*arguments, "--resume"], every=_NEVER)
        assert "resuming: 2 of 3" in resumed.stderr
        assert (tmp_path / "clip.dnv").read_bytes() == serial.read_bytes()

    def test_another_job_is_refused_by_name_and_without_resume_it_starts_anew(
        self, arguments: list[str], tmp_path: Path, serial: Path
    ) -> None:
        Forks.shared().run(arguments, Strike(_STEP, STEPS + 5), every=_NEVER)
        for more, message in (
            (["--seed", "1"], "seed was 0, now 1"),
            (["--overlap", "2"], "overlap was 1, now 2"),
            (["--segment", "4f"], "segments was [0, 3, 6, 8], now [0, 4, 8]"),
            (["--set", "schedule.scale=2"], "configuration.schedule.scale was 1.0, now 2.0"),
        ):
            refused = Forks.shared().run([*arguments, *more, "--resume"], every=_NEVER)
            assert refused.status == 2
            assert f"plan.json: belongs to another job: {message}" in refused.stderr
        assert Forks.shared().run(arguments, every=_NEVER).status == 0
        assert (tmp_path / "clip.dnv").read_bytes() == serial.read_bytes()

    def test_resuming_a_finished_job_is_refused(
        self, arguments: list[str], tmp_path: Path, serial: Path
    ) -> None:
        shutil.copy(serial, tmp_path / "clip.dnv")
        ended = Forks.shared().run([*arguments, "--resume"])
        assert ended.status == 2
        assert "clip.dnv: is finished, there is nothing to resume" in ended.stderr


class _WorkerKiller(Notes):
    """Kills a worker whenever there is progress, as long as it has lives left."""

    def __init__(self, lives: int, name: str = "dynerf worker") -> None:
        super().__init__()
        self.lives, self._name = lives, name

    def progress(self, what: str, done: int, total: int) -> None:
        super().progress(what, done, total)
        victims = [child for child in multiprocessing.active_children() if child.name.startswith(self._name)]
        busy = done < total and (done % 1000 == 0 or done > 500)  # 1,000 per segment
        if self.lives and busy and victims and victims[0].pid is not None:
            self.lives -= 1
            os.kill(victims[0].pid, signal.SIGKILL)


@pytest.mark.long
class TestWorkers:
    def test_a_killed_worker_is_replaced(self, capture: Path, tmp_path: Path, serial: Path) -> None:
        killer = _WorkerKiller(1)
        job = tiny_job(capture, tmp_path / "clip.dnv")
        encode(job, killer, _SEGMENTATION, ProcessPoolRunner(2))
        assert killer.lives == 0
        assert [line for line in killer.messages if "(worker 2)" in line]
        assert [line for line in killer.messages if "was lost (killed by SIGKILL); restarted" in line]
        assert (tmp_path / "clip.dnv").read_bytes() == serial.read_bytes()

    @pytest.mark.extensive
    def test_a_worker_that_is_killed_repeatedly_is_not_replaced_forever(
        self, capture: Path, tmp_path: Path
    ) -> None:
        killer = _WorkerKiller(2 * MAX_ATTEMPTS)
        job = tiny_job(capture, tmp_path / "clip.dnv", "schedule.scale=100")
        with pytest.raises(ConfigError, match=f"segment .: lost {MAX_ATTEMPTS} times .killed by SIGKILL"):
            encode(job, killer, _SEGMENTATION, ProcessPoolRunner(1))
        assert multiprocessing.active_children() == []

    def test_ctrl_c_saves_the_workers_checkpoints_and_stops_them(
        self, arguments: list[str], tmp_path: Path
    ) -> None:
        more = ["--workers", "2", "--set", "schedule.scale=200"]
        strike = Strike("dynerf_encoder.jobs.process_pool:_receive", 5, signal.SIGINT)
        stopped = Forks.shared().run([*arguments, *more], strike)
        assert stopped.status == 130
        assert "Traceback" not in stopped.stderr
        found = [(tmp_path / "clip.work" / "segments" / f"0000{n}.work" / "checkpoint.npz") for n in (0, 1)]
        assert all(path.exists() for path in found)
        assert not _workers()

    def test_workers_exit_with_a_killed_driver_and_without_workers_it_resumes_to_the_same_bytes(
        self, arguments: list[str], tmp_path: Path, serial: Path
    ) -> None:
        strike = Strike("dynerf_encoder.jobs.clip_progress:ClipProgress._finish", 1)
        assert Forks.shared().run([*arguments, "--workers", "2"], strike).status == -signal.SIGKILL
        deadline = time.monotonic() + 120  # without prctl they exit at their next event
        while _workers() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _workers()
        resumed = Forks.shared().run([*arguments, "--resume"], every=_NEVER)  # without workers
        assert resumed.status == 0, resumed.stderr
        assert (tmp_path / "clip.dnv").read_bytes() == serial.read_bytes()

    def test_an_error_of_a_worker_is_raised_by_the_driver(
        self, capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = tiny_job(capture, tmp_path / "clip.dnv")
        folder = tmp_path / "clip.work" / "segments"
        monkeypatch.setattr(
            "dynerf_encoder.jobs.segment_folder.SegmentFolder.prepare", lambda *_: _block(folder)
        )
        with pytest.raises(OutputError, match=r"segment ., frames .:.: .*work folder cannot be made"):
            encode(job, Notes(), _SEGMENTATION, ProcessPoolRunner(1))
        assert multiprocessing.active_children() == []


def _block(folder: Path) -> None:
    """Create files at the paths of the segments' work folders."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        (folder / f"{number:05}.work").write_text("a file, not a folder")


def _workers() -> list[str]:
    """Worker processes of this folder's drivers."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            ours = (entry / "cwd").readlink() == Path.cwd()
            command = (entry / "cmdline").read_bytes()  # empty when it has ended
        except OSError:
            continue
        if ours and b"spawn_main" in command:
            found.append(entry.name)
    return found


class TestWarmStart:
    def test_segments_start_from_their_predecessors_but_for_key_ones(
        self, capture: Path, tmp_path: Path
    ) -> None:
        segmentation = Segmentation(SegmentLength(Fraction(2), "f"), 0, WarmStart(0.5, key=2))
        notes = Notes()
        with one_thread():
            encode(tiny_job(capture, tmp_path / "a.dnv"), notes, segmentation)
        steps = [
            line.split(" steps")[0].split()[-1] for line in notes.messages if line.startswith("segment ")
        ]
        assert steps == [str(STEPS), str(STEPS // 2)] * 2

    def test_weights_stored_as_differences_equal_those_of_the_separate_segments(
        self, capture: Path, tmp_path: Path
    ) -> None:
        segmentation = Segmentation(SegmentLength(Fraction(2), "f"), 0, WarmStart(0.5, key=3))
        with one_thread(), pytest.MonkeyPatch.context() as patch:
            kept = tmp_path / "kept"
            patch.setattr("shutil.rmtree", lambda *_, **__: None)
            encode(tiny_job(capture, tmp_path / "a.dnv"), Notes(), segmentation)
            (tmp_path / "a.work" / "segments").rename(kept)
        with FileSource(tmp_path / "a.dnv") as whole:
            reader = Reader(whole)
            depths = [e.first for e in reader.directory if e.kind == b"WGHT" and e.layer == 0]
            assert depths == [0, 1, 2, 0]
            for number in range(4):
                with FileSource(kept / f"{number:05}.dnv") as source:
                    alone = Reader(source)
                    for layers in (1, 3):
                        mine, theirs = reader.weights(number, layers), alone.weights(0, layers)
                        assert mine.keys() == theirs.keys()
                        assert all(np.array_equal(mine[n].symbols, theirs[n].symbols) for n in mine)
            assert {entry.kind for entry in reader.directory} == {b"WGHT", b"LATN"}

    def test_a_warm_start_shows_the_predecessor_in_reverse(self, capture: Path, tmp_path: Path) -> None:
        """With negligible learning rates, a warm segment shows its predecessor in reverse."""
        tiny_encode(tiny_job(capture, tmp_path / "a.dnv", frames=FrameRange(0, 3)))
        still = (
            "optimiser.planes_rate=1e-9", "optimiser.network_rate=1e-9", "quantisation.latents=0.0005",
            "quantisation.network=0.0005", "quantisation.planes=0.0005",
        )  # fmt: skip
        job = tiny_job(
            capture,
            tmp_path / "b.dnv",
            *still,
            frames=FrameRange(3, 6),
            segment=SegmentInputs(predecessor=tmp_path / "a.dnv"),
        )
        tiny_encode(job)
        with FileSource(tmp_path / "a.dnv") as one, FileSource(tmp_path / "b.dnv") as two:
            before, after = Clip(Reader(one)), Clip(Reader(two))
            for frame in range(3):
                expected = before.render(before.cameras[0], frame=2.0 - frame).rgb
                found = after.render(after.cameras[0], frame=float(frame)).rgb
                np.testing.assert_allclose(found, expected, atol=0.02)

    def test_latent_components_that_the_predecessor_does_not_use_are_initialised_and_have_no_effect(
        self, capture: Path, tmp_path: Path
    ) -> None:
        config = tiny_config("mlp.latent=16", kind="mlp")
        job = tiny_job(capture, tmp_path / "a.dnv", config=config, frames=FrameRange(0, 3))
        tiny_encode(job)
        model = build_model("mlp", settings_record(job.config.mlp))
        latents = torch.nn.Parameter(torch.full((2, 16), 0.5))
        start_from(job.output, Mock(Trainer, model=model, latents=latents), 3)
        with FileSource(job.output) as source:
            stored = Reader(source).latents(1, 2)[::-1]
        used = stored.any(axis=0)
        assert 1 <= used.sum() <= 3
        found = latents.detach().numpy()
        np.testing.assert_array_equal(found[:, used], stored[:, used])
        assert (found[:, ~used] == 0.5).all()
        for name, span in model.latent_columns().items():
            assert not model.get_parameter(name).detach().numpy()[:, span][:, ~used].any()

    def test_a_predecessor_of_another_field_is_refused(self, capture: Path, tmp_path: Path) -> None:
        tiny_encode(tiny_job(capture, tmp_path / "a.dnv", frames=FrameRange(0, 3)))
        job = tiny_job(
            capture, tmp_path / "b.dnv", "planes.scales=8,16", frames=FrameRange(3, 6),
            segment=SegmentInputs(predecessor=tmp_path / "a.dnv"),
        )  # fmt: skip
        with pytest.raises(FormatError, match=r"a\.dnv: cannot be started from: weights: .* has shape"):
            tiny_encode(job)

    @pytest.mark.parametrize("warm", [WarmStart(0.0), WarmStart(1.5), WarmStart(0.5, key=0)])
    def test_invalid_shares_are_refused(self, capture: Path, tmp_path: Path, warm: WarmStart) -> None:
        with pytest.raises(ConfigError, match="--warm-start"):
            encode(
                tiny_job(capture, tmp_path / "a.dnv"), Notes(), Segmentation(_SEGMENTATION.length, 0, warm)
            )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--segment", "10"), "--segment 10: expected seconds, minutes or frames above 0"),
        (("--overlap", "-1"), "--overlap -1: expected 0 frames or more"),
        (("--workers", "0"), "--workers 0: expected 1 to 1024"),
        (("--warm-start", "2"), "--warm-start: 2 of the steps"),
    ],
)
def test_invalid_options_are_refused(
    capture: Path, tmp_path: Path, more: tuple[str, ...], message: str
) -> None:
    ended = Forks.shared().run(encode_arguments(capture, tmp_path / "clip.dnv", *more))
    assert (ended.status, ended.stderr.count("\n")) == (2, 1)
    assert message in ended.stderr
    assert list(tmp_path.iterdir()) == []
