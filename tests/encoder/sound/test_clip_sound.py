"""Which sound a clip gets: chosen, cut to the frames, corrected by offsets, and coded before the training."""

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dynerf_decoder.sound.opus_decoder import decode_packets
from dynerf_encoder.captures.capture import Capture
from dynerf_encoder.captures.layouts.convert import convert
from dynerf_encoder.captures.layouts.detect import read_recording
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.captures.opening import open_capture
from dynerf_encoder.sound.clip_sound import code_sound
from dynerf_encoder.sound.sound_source import SoundOptions
from dynerf_format import SoundPackets
from dynerf_format.errors import CaptureError, ConfigError, DynerfError
from support.encoding import scene_pictures, scene_poses, write_scene
from support.sound import Track, add_track, clicks, onsets, write_wave
from support.video import write_video

FRAMES = 30


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "scene", cameras=3, frames=FRAMES, width=16, height=16)


def coded(
    capture: Capture,
    source: str = "auto",
    frames: range = range(FRAMES),
    held_out: Sequence[str] = ("cam00",),
    bit_rate: int | None = None,
) -> tuple[SoundPackets | None, list[str]]:
    messages: list[str] = []
    wanted = SoundOptions(source, bit_rate)
    sound = code_sound(wanted, capture, held_out, frames, 10, messages.append, lambda *_: None)
    return sound, messages


def clicks_of(sound: SoundPackets | None) -> list[float]:
    assert sound is not None
    return onsets(decode_packets(sound))


def test_a_capture_without_sound_gives_none_and_no_message(scene: Path) -> None:
    assert coded(read_n3v(scene)) == (None, [])


def test_the_held_out_camera_is_heard_first(scene: Path) -> None:
    add_track(scene / "cam01.mp4", Track(clicks(1, (0.2,)), codec="aac"))
    add_track(scene / "cam02.mp4", Track(clicks(1, (0.6,), 2), codec="aac"))
    capture = read_n3v(scene)
    sound, messages = coded(capture, held_out=("cam02",))
    assert clicks_of(sound) == pytest.approx([0.6], abs=0.002)
    assert len(messages) == 1
    assert messages[0].startswith("sound: cam02 (held out), stereo, ")
    sound, messages = coded(capture)
    assert clicks_of(sound) == pytest.approx([0.2], abs=0.002)
    assert messages[0].startswith("sound: cam01, mono, ")


def test_a_silent_track_is_passed_over(scene: Path) -> None:
    add_track(scene / "cam00.mp4", Track(np.zeros((48_000, 2), np.float32), codec="aac"))
    sound, messages = coded(read_n3v(scene))
    assert sound is None
    assert messages == [f"no sound: the track of {scene / 'cam00.mp4'} is silent"]
    add_track(scene / "cam01.mp4", Track(clicks(1, (0.2,)), codec="aac"))
    sound, messages = coded(read_n3v(scene))
    assert messages[0].startswith("sound: cam01, mono")


def test_a_named_camera_or_file_is_used_or_refused(scene: Path) -> None:
    add_track(scene / "cam01.mp4", Track(clicks(1, (0.2,)), codec="aac"))
    capture = read_n3v(scene)
    assert coded(capture, "none") == (None, [])
    with pytest.raises(CaptureError, match=r"--audio cam02: .*cam02\.mp4 has no audio track"):
        coded(capture, "cam02")
    with pytest.raises(ConfigError, match=r"neither a camera nor a file; .* cam00, cam01, cam02"):
        coded(capture, "cam09")
    with pytest.raises(CaptureError, match="has no audio track"):
        coded(capture, str(scene / "cam02.mp4"))
    with pytest.raises(CaptureError, match="nothing at the time of these frames"):
        add_track(scene / "cam02.mp4", Track(clicks(0.3, (0.2,)), codec="aac"))
        coded(capture, "cam02", range(20, 30))


def test_a_file_begins_with_frame_0_of_the_capture(scene: Path, tmp_path: Path) -> None:
    write_wave(tmp_path / "music.wav", clicks(3, (0.5, 0.9, 2.5), 2))
    capture = read_n3v(scene)
    sound, messages = coded(capture, str(tmp_path / "music.wav"))
    assert clicks_of(sound) == pytest.approx([0.5, 0.9], abs=0.001)
    assert messages[0].startswith(f"sound: {tmp_path / 'music.wav'}, stereo")
    sound, _ = coded(capture, str(tmp_path / "music.wav"), range(12, 20))
    assert clicks_of(sound) == pytest.approx([0.5 - 12 / 30], abs=0.001)
    assert sound is not None
    assert sound.samples == 8 * 1600


def test_sound_is_cut_to_the_frames(scene: Path) -> None:
    add_track(scene / "cam00.mp4", Track(clicks(1, (0.2, 0.6, 0.9)), codec="aac"))
    sound, _ = coded(read_n3v(scene), frames=range(15, 25))
    assert clicks_of(sound) == pytest.approx([0.1], abs=0.001)
    assert sound is not None
    assert sound.samples == 16_000


def test_the_start_of_a_video_and_of_its_track_are_taken_into_account(scene: Path) -> None:
    # All videos begin at 0.5 s of their clock; the track of one begins with the clock.
    for index, pose in enumerate(scene_poses(3)):
        path = scene / f"cam{index:02d}.mp4"
        pictures = scene_pictures(pose, FRAMES, 16, 16)
        write_video(path, pictures, pixel_format="yuv444p", times=range(15, 15 + FRAMES))
    add_track(scene / "cam00.mp4", Track(clicks(1.5, (0.2, 0.7, 1.1)), codec="aac"))
    sound, _ = coded(read_n3v(scene))
    assert clicks_of(sound) == pytest.approx([0.2, 0.6], abs=0.002)


def test_the_offset_of_a_camera_is_corrected_to_a_fraction_of_a_frame(scene: Path) -> None:
    capture = read_n3v(scene)
    add_track(scene / "cam01.mp4", Track(clicks(1, (0.5,)), codec="aac"))
    moved = [
        replace(view, first=3, lag=Fraction(2, 5)) if view.name == "cam01" else view for view in capture.views
    ]
    sound, _ = coded(replace(capture, views=tuple(moved)), frames=range(20))
    assert clicks_of(sound) == pytest.approx([0.5 - 3.4 / 30], abs=0.001)


def test_offsets_of_capture_json_are_read_with_their_fraction(scene: Path) -> None:
    recording = read_recording(scene)
    convert(recording, open_capture(recording), "capture", scene)
    target = scene / "capture.json"
    stated = json.loads(target.read_text())
    for camera, offset in zip(stated["cameras"], (0, 3.4, 1), strict=True):
        camera["offset"] = offset
    stated["timing"] = "offsets"
    target.write_text(json.dumps(stated))
    views = read_capture(scene).views
    assert [view.first for view in views] == [0, 3, 1]
    assert [float(view.lag) for view in views] == pytest.approx([0, 0.4, 0])


def test_the_bit_rate_is_as_requested(scene: Path) -> None:
    noise = np.random.default_rng(0).standard_normal((48_000, 2)).astype(np.float32) * 0.1
    add_track(scene / "cam00.mp4", Track(noise, codec="pcm_s16le"), container="mov")
    capture = read_n3v(scene)
    sizes = []
    for bit_rate in (None, 24_000, 510_000):
        sound, _ = coded(capture, bit_rate=bit_rate)
        assert sound is not None
        sizes.append(sum(map(len, sound.packets)) * 8)
    assert sizes[0] == pytest.approx(96_000, rel=0.3)
    assert sizes[1] == pytest.approx(24_000, rel=0.3)
    assert sizes[2] > 400_000


def test_what_is_silent_is_said_in_the_same_line(scene: Path) -> None:
    track = Track(clicks(0.6, (0.1, 0.5), 2), codec="aac", late=0.2, damaged=(0.2, 0.4))
    add_track(scene / "cam00.mp4", track)
    _, messages = coded(read_n3v(scene))
    assert len(messages) == 1
    assert "; silent for the first 0." in messages[0]
    assert "for the last 0." in messages[0]
    assert "where damaged (" in messages[0]


def test_a_track_of_noise_without_a_packet_is_said_or_refused(scene: Path) -> None:
    add_track(scene / "cam00.mp4", Track(clicks(1, (0.5,)), codec="flac", damaged=(-1, 9)), container="mkv")
    capture = read_n3v(scene)
    sound, messages = coded(capture)
    assert sound is None
    assert len(messages) == 1
    assert messages[0].startswith(f"no sound: the track of {scene / 'cam00.mp4'} is damaged, ")
    with pytest.raises(DynerfError, match=r"--audio cam00: the track of .* is damaged"):
        coded(capture, "cam00")


def test_a_group_longer_than_a_chunk_may_be_is_refused_before_the_training(scene: Path) -> None:
    add_track(scene / "cam00.mp4", Track(clicks(1, (0.5,)), codec="aac"))
    capture = replace(read_n3v(scene), fps=Fraction(1, 10))
    sound, messages = coded(capture)
    assert sound is None
    assert messages == ["no sound: a group of 10 frames lasts 100 s, its sound at most 81 s"]
    with pytest.raises(ConfigError, match=r"lasts 100 s.*expected a smaller quantisation\.group"):
        coded(capture, "cam00")
