"""Sound in files: in an MP4 file in step with the pictures and as long as these, alone as WAV and Ogg."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dynerf_decoder.cameras.paths import Shot
from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.sound.audio_stream import checked_codec
from dynerf_decoder.sound.sound_file import write_sound
from dynerf_decoder.sound.sound_track import SoundTrack, sound_of_frames
from dynerf_decoder.video.frame_writer import open_output
from dynerf_format import BytesSource, Reader, clip_bytes
from dynerf_format.errors import ConfigError, OutputError
from support.planes_clip import planes_parts
from support.sound import clicks, onsets, sound_of_file, track_seconds, with_sound

TIMES = (0.5, 1.0, 2.0)


@pytest.fixture(scope="module")
def clip() -> Clip:
    header, chunks = planes_parts(segments=(75,), group=30)
    return Clip(Reader(BytesSource(clip_bytes(header, with_sound(header, chunks, clicks(2.5, TIMES, 2))))))


def write_grey(path: Path, frames: int, fps: Fraction, track: SoundTrack | None, codec: str = "aac") -> None:
    picture = np.full((16, 16, 3), 99, np.uint8)
    with open_output(path, 16, 16, fps, frames, sound=track, audio_codec=codec) as out:
        for _ in range(frames):
            out.write(picture)


@pytest.mark.parametrize("codec", ["aac", "opus"])
@pytest.mark.parametrize("frames", [1, 7, 75])
def test_a_video_has_sound_exactly_as_long_as_its_pictures(
    clip: Clip, tmp_path: Path, codec: str, frames: int
) -> None:
    path = tmp_path / "out.mp4"
    write_grey(path, frames, Fraction(30), sound_of_frames(clip.reader, 0, frames), codec)
    with av.open(str(path)) as container:
        (sound,), (pictures,) = container.streams.audio, container.streams.video
        assert sound.codec_context.name == {"aac": "aac", "opus": "opus"}[codec]
        assert (sound.rate, sound.channels) == (48_000, 2)
        assert pictures.duration is not None
        assert pictures.time_base is not None
        lengths = {track_seconds(container, sound), pictures.duration * pictures.time_base}
        assert lengths == {Fraction(frames, 30)}
    expected = [time for time in TIMES if time < frames / 30]
    assert onsets(sound_of_file(path)) == pytest.approx(expected, abs=0.002)


def test_a_fractional_rate_gives_sound_to_the_sample(clip: Clip, tmp_path: Path) -> None:
    fps = Fraction(30000, 1001)
    samples = 31 * 48_000 * 1001 // 30000
    write_grey(tmp_path / "out.mp4", 31, fps, SoundTrack.of(clip.reader, 0, samples))
    with av.open(str(tmp_path / "out.mp4")) as container:
        sound = container.streams.audio[0]
        assert float(track_seconds(container, sound)) == pytest.approx(float(31 / fps), abs=1 / 48_000)
    assert onsets(sound_of_file(tmp_path / "out.mp4")) == pytest.approx([0.5, 1.0], abs=0.002)


def test_a_clip_is_saved_with_its_sound_and_pictures_are_not(clip: Clip, tmp_path: Path) -> None:
    shots = _shots(clip, 6, 1 / 30)
    clip.save_video(tmp_path / "with.mp4", shots)
    clip.save_video(tmp_path / "without.mp4", shots, audio_codec="none")
    clip.save_video(tmp_path / "slow.mp4", _shots(clip, 6, 1 / 60))
    clip.save_video(tmp_path / "p_%d.png", shots)
    found = {}
    for name in ("with", "without", "slow"):
        with av.open(str(tmp_path / f"{name}.mp4")) as container:
            found[name] = len(container.streams.audio)
    assert found == {"with": 1, "without": 0, "slow": 0}
    with pytest.raises(ConfigError, match="audio codec 'mp3': expected one of aac, opus, none"):
        checked_codec("mp3")


def _shots(clip: Clip, count: int, step: float) -> list[Shot]:
    camera = clip.cameras[0].with_size(16, 12)
    return [Shot(camera, 0.4 + step * k) for k in range(count)]


@pytest.mark.parametrize("suffix", [".wav", ".opus"])
def test_sound_is_written_alone(clip: Clip, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sound{suffix}"
    write_sound(path, sound_of_frames(clip.reader, 12, 45))
    with av.open(str(path)) as container:
        found = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
        channels = container.streams.audio[0].channels
    scale = 32768 if found.dtype == np.int16 else 1
    rows = found.reshape(-1, 2) if suffix == ".wav" else found.T
    signal = (rows / scale).astype(np.float32)
    assert channels == 2
    assert abs(len(signal) - 72_000) < 2_000
    assert onsets(signal) == pytest.approx((0.1, 0.6), abs=0.003)


def test_names_and_folders_that_cannot_be_written_are_refused(clip: Clip, tmp_path: Path) -> None:
    track = sound_of_frames(clip.reader, 0, 1)
    with pytest.raises(ConfigError, match=r"ends in \.mp3, supported are \.wav and \.opus"):
        write_sound(tmp_path / "a.mp3", track)
    with pytest.raises(ConfigError, match=r"7\.5 h of sound, a WAV file holds 6\.2 h"):
        write_sound(tmp_path / "a.wav", SoundTrack.of(clip.reader, 0, round(7.5 * 3600 * 48_000)))
    with pytest.raises(OutputError):
        write_sound(tmp_path / "missing" / "a.wav", track)
    assert list(tmp_path.iterdir()) == []
