"""Sound through whole encodes: coded once, in step from recording to decoded video, counted, resumable."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dynerf_decoder.clip.clip import Clip
from dynerf_encoder.jobs.encode import Segmentation, encode
from dynerf_encoder.jobs.job import Job, work_folder
from dynerf_encoder.jobs.scheduler import SerialRunner
from dynerf_encoder.jobs.segments import SegmentLength
from dynerf_encoder.sound.sound_source import SoundOptions
from dynerf_encoder.training.trainer import StepReport
from dynerf_format import FileSource, Reader, cut_clip, join_clips
from dynerf_format.errors import CaptureError, ConfigError, ResumeError
from dynerf_format.frame_range import FrameRange
from support.encoding import Notes, one_thread, tiny_job, write_scene
from support.sound import Signal, Track, add_track, clicks, onsets, sound_of_file, sweep, write_wave

FRAMES = 30
GROUPS = "quantisation.group=10"
SEGMENTS = Segmentation(SegmentLength(Fraction(10), "f"), 1)
TIMES = (5 / 30, 14 / 30, 25 / 30)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "scene", cameras=3, frames=FRAMES, width=16, height=12)


def encoded(job: Job, segmentation: Segmentation | None = None) -> tuple[Path, list[str]]:
    notes = Notes()
    with one_thread():
        encode(job, notes, segmentation)
    return job.output, [text for text in notes.messages if text.startswith(("sound:", "no sound:"))]


def sound_of(path: Path) -> Signal:
    with FileSource(path) as source:
        reader = Reader(source)
        reader.verify()
        return Clip(reader).sound()


def sizes(path: Path) -> dict[str, int]:
    with FileSource(path) as source:
        return Reader(source).bytes_by_kind()


def test_a_click_stays_at_its_frame_from_the_recording_to_a_video(scene: Path, tmp_path: Path) -> None:
    add_track(scene / "cam00.mp4", Track(clicks(1, TIMES, 2, 44_100), 44_100, "aac"))
    whole, messages = encoded(tiny_job(scene, tmp_path / "whole.dnv", GROUPS), SEGMENTS)
    assert len(messages) == 1
    assert messages[0].startswith("sound: cam00 (held out), stereo, ")
    parts = [tmp_path / "a.dnv", tmp_path / "b.dnv"]
    cut_clip(whole, 0, 13, parts[0])
    cut_clip(whole, 13, 30, parts[1])
    join_clips(parts, tmp_path / "joined.dnv")
    with FileSource(tmp_path / "joined.dnv") as source:
        clip = Clip(Reader(source))
        clip.save_video(tmp_path / "out.mp4", clip.cameras["cam00"])
    assert onsets(sound_of_file(tmp_path / "out.mp4"), 0.2) == pytest.approx(TIMES, abs=0.005)


def test_segments_have_the_sound_of_one_stream_without_a_step(scene: Path, tmp_path: Path) -> None:
    add_track(scene / "cam00.mp4", Track(sweep(1), codec="pcm_s16le"), container="mov")
    whole, _ = encoded(tiny_job(scene, tmp_path / "whole.dnv", GROUPS))
    parts, _ = encoded(tiny_job(scene, tmp_path / "parts.dnv", GROUPS), SEGMENTS)
    assert np.array_equal(sound_of(whole), sound_of(parts))
    steps = np.abs(np.diff(sound_of(parts) - sweep(1), axis=0))
    assert max(steps[16_000 - 2 : 16_000 + 2].max(), steps[32_000 - 2 : 32_000 + 2].max()) < steps.max()


def test_frames_are_encoded_with_their_part_of_the_sound(scene: Path, tmp_path: Path) -> None:
    add_track(scene / "cam00.mp4", Track(clicks(1, TIMES), codec="aac"))
    job = tiny_job(scene, tmp_path / "clip.dnv", GROUPS, frames=FrameRange(10, 20))
    found = sound_of(encoded(job)[0])
    assert len(found) == 16_000
    assert onsets(found) == pytest.approx([4 / 30], abs=0.002)


def test_no_sound_leaves_no_chunk_and_no_message(scene: Path, tmp_path: Path) -> None:
    path, messages = encoded(tiny_job(scene, tmp_path / "clip.dnv"))
    assert messages == []
    assert "soun" not in sizes(path)
    add_track(scene / "cam00.mp4", Track(clicks(1, TIMES), codec="aac"))
    path, messages = encoded(tiny_job(scene, tmp_path / "none.dnv", audio=SoundOptions("none")))
    assert messages == []
    assert "soun" not in sizes(path)


def test_a_target_size_includes_the_sound(scene: Path, tmp_path: Path) -> None:
    add_track(scene / "cam00.mp4", Track(sweep(1, 2), codec="aac"))
    job = tiny_job(
        scene, tmp_path / "clip.dnv", GROUPS, "rate.target=20000", audio=SoundOptions(bit_rate=48_000)
    )
    path, _ = encoded(job)
    assert sizes(path)["soun"] > 5_000
    assert path.stat().st_size == pytest.approx(20_000, rel=0.05)


def test_a_target_below_the_sound_is_refused_before_the_training(scene: Path, tmp_path: Path) -> None:
    add_track(scene / "cam00.mp4", Track(sweep(1, 2), codec="aac"))
    job = tiny_job(scene, tmp_path / "clip.dnv", GROUPS, "rate.target=4000")
    notes = Notes()
    with one_thread(), pytest.raises(ConfigError, match=r"[0-9]+ of them sound"):
        encode(job, notes)
    assert notes.reports == []


def test_a_named_source_without_sound_is_refused_before_the_training(scene: Path, tmp_path: Path) -> None:
    job = tiny_job(scene, tmp_path / "clip.dnv", audio=SoundOptions("cam01"))
    notes = Notes()
    with pytest.raises(CaptureError, match="--audio cam01"):
        encode(job, notes)
    assert notes.progress_calls == []
    assert not work_folder(job).exists() or not any(work_folder(job).iterdir())


class _Deleting(Notes):
    """Deletes a file once training has begun."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def trained(self, report: StepReport) -> None:
        self.path.unlink(missing_ok=True)


def test_a_file_of_sound_is_not_needed_after_the_start(scene: Path, tmp_path: Path) -> None:
    music = tmp_path / "music.wav"
    write_wave(music, clicks(1, TIMES))
    job = tiny_job(scene, tmp_path / "clip.dnv", GROUPS, audio=SoundOptions(str(music)))
    with one_thread():
        encode(job, _Deleting(music))
    assert not music.exists()
    assert onsets(sound_of(job.output)) == pytest.approx(TIMES, abs=0.002)


class _Stopped(SerialRunner):
    """Stops after the first segment."""

    def run(self, tasks, report):  # type: ignore[no-untyped-def]
        super().run(tasks[:1], report)
        raise KeyboardInterrupt


def test_an_interrupted_encode_goes_on_with_the_same_sound_only(scene: Path, tmp_path: Path) -> None:
    add_track(scene / "cam00.mp4", Track(sweep(1), codec="aac"))
    job = tiny_job(scene, tmp_path / "clip.dnv", GROUPS)
    with one_thread(), pytest.raises(KeyboardInterrupt):
        encode(job, Notes(), SEGMENTS, _Stopped())
    with one_thread(), pytest.raises(ResumeError, match="sound"):
        encode(replace(job, resume=True, audio=SoundOptions("none")), Notes(), SEGMENTS)
    notes = Notes()
    with one_thread():
        encode(replace(job, resume=True), notes, SEGMENTS)
    assert any("1 of 3 segments are finished" in text for text in notes.messages)
    expected, _ = encoded(tiny_job(scene, tmp_path / "other.dnv", GROUPS))
    assert np.array_equal(sound_of(job.output), sound_of(expected))
