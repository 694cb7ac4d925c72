"""Sound by the command line: decoded into videos and sound files, described, and chosen for an encode."""

import json
from dataclasses import replace
from pathlib import Path

import av
import pytest

from dynerf.api.encode_options import EncodeOptions
from dynerf.api.quantities import parse_bit_rate
from dynerf_encoder.sound.sound_source import SoundOptions
from dynerf_format import Chunk, FileSource, Reader, write_clip
from dynerf_format.errors import ConfigError
from support.command import FRAMES, done, listing, refused
from support.sound import clicks, onsets, resounded, sound_of_file

TIME = 3 / 30


@pytest.fixture(scope="module")
def loud(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip with a click in stereo at its frame 3."""
    return resounded(clip, tmp_path_factory.mktemp("loud") / "loud.dnv", clicks(FRAMES / 30, (TIME,), 2))


def tracks(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.codec_context.name for stream in container.streams.audio]


def test_a_video_has_the_clips_sound(loud: Path, out: Path) -> None:
    ran = done("decode", loud, "-o", out / "a.mp4", "--size", "16x12")
    assert "without sound" not in ran.err
    assert tracks(out / "a.mp4") == ["aac"]
    assert onsets(sound_of_file(out / "a.mp4")) == pytest.approx([TIME], abs=0.003)
    done("decode", loud, "-o", out / "b.mp4", "--size", "16x12", "--frames", "2:5", "--audio-codec", "opus")
    assert tracks(out / "b.mp4") == ["opus"]
    assert onsets(sound_of_file(out / "b.mp4")) == pytest.approx([TIME - 2 / 30], abs=0.003)
    done("decode", loud, "-o", out / "c.mp4", "--size", "16x12", "--audio-codec", "none")
    assert tracks(out / "c.mp4") == []


@pytest.mark.parametrize("options", ["--speed 0.5", "--speed 2", "--freeze 0.1 --time 0:0.1"])
def test_time_at_another_speed_is_without_sound_and_said_once(loud: Path, out: Path, options: str) -> None:
    ran = done("decode", loud, "-o", out / "a.mp4", "--size", "16x12", *options.split())
    assert ran.err.count("without sound: the time of the clip does not pass at its own speed") == 1
    assert tracks(out / "a.mp4") == []


def test_a_clip_without_sound_and_pictures_say_nothing_of_it(clip: Path, loud: Path, out: Path) -> None:
    silent = done("decode", clip, "-o", out / "a.mp4", "--size", "16x12", "--speed", "0.5")
    numbered = done("decode", loud, "-o", out / "p_%d.png", "--size", "16x12", "--speed", "0.5")
    assert "without sound" not in silent.err + numbered.err


@pytest.mark.parametrize("name", ["sound.wav", "sound.opus"])
def test_sound_is_written_alone(loud: Path, out: Path, name: str) -> None:
    ran = done("decode", loud, "--audio-only", out / name, "--frames", "2:")
    assert f"{name}: 0.13 s of stereo sound" in ran.err
    assert listing(out) == [name]
    assert onsets(sound_of_file(out / name)) == pytest.approx([TIME - 2 / 30], abs=0.003)


def test_damaged_sound_is_silent_and_said_once(loud: Path, out: Path) -> None:
    damaged = out / "damaged.dnv"
    data = bytearray(loud.read_bytes())
    with FileSource(loud) as source:
        data[next(entry for entry in Reader(source).directory if entry.kind == b"soun").end - 1] ^= 1
    damaged.write_bytes(data)
    for target in (("-o", out / "a.mp4", "--size", "16x12"), ("--audio-only", out / "a.wav")):
        ran = done("decode", damaged, *target)
        assert ran.err.count("silent where sound is damaged (1 chunk): ") == 1
        assert "soun chunk at byte" in ran.err
        assert not sound_of_file(Path(target[1])).any()
    assert "soun chunk at byte" in refused("verify", damaged, folder=out)
    assert "of sound" in done("info", damaged).out


def test_sound_alone_is_refused_where_there_is_none(clip: Path, loud: Path, out: Path) -> None:
    assert "has no sound there" in refused("decode", clip, "--audio-only", out / "a.wav", folder=out)
    slow = refused("decode", loud, "--audio-only", out / "a.wav", "--speed", "0.5", folder=out)
    assert "does not pass at its own speed" in slow
    assert "supported are .wav and .opus" in refused(
        "decode", loud, "--audio-only", out / "a.mp3", folder=out
    )


def test_sound_alone_of_frames_that_last_for_years_is_refused(loud: Path, out: Path) -> None:
    forged = out / "forged.dnv"
    with FileSource(loud) as source:
        reader = Reader(source)
        chunks = [
            Chunk(entry.kind, entry.segment, entry.layer, entry.first, entry.count, reader.read_chunk(entry))
            for entry in reader.directory
        ]
        write_clip(forged, replace(reader.header, fps_numerator=1, fps_denominator=2**32 - 1), chunks)
    line = refused("decode", forged, "--audio-only", out / "a.opus", folder=out)
    assert "1/4294967295 frames per second, expected 1/3600 to 1000" in line


def test_info_counts_the_sound_and_says_what_it_is(clip: Path, loud: Path) -> None:
    text = done("info", loud).out
    record = json.loads(done("info", loud, "--json").out)
    assert record["sound"]["channels"] == 2
    assert record["sound"]["seconds"] == pytest.approx(FRAMES / 30)
    assert record["sound"]["bytes"] == record["bytes_by_part"]["soun"]
    assert f"0.20 s of sound, stereo: {record['sound']['bytes']:,} bytes, " in text
    assert json.loads(done("info", clip, "--json").out)["sound"] is None
    assert "sound" not in done("info", clip).out.partition("configuration")[0]


def test_the_sound_of_an_encode_is_chosen_by_options(capture: Path, out: Path) -> None:
    output = out / "a.dnv"
    assert EncodeOptions(capture, output).job().audio == SoundOptions("auto", None)
    options = EncodeOptions(capture, output, audio="cam02", audio_bitrate=32_000)
    assert options.job().audio == SoundOptions("cam02", 32_000)
    with pytest.raises(ConfigError, match="audio_bitrate 5000: expected 6000 to 510000"):
        EncodeOptions(capture, output, audio_bitrate=5000)
    line = refused("encode", capture, "-o", output, "--audio", "cam02", "--device", "cpu", folder=out)
    assert "--audio cam02" in line
    assert "has no audio track" in line
    line = refused("encode", capture, "-o", output, "--audio", "missing.wav", "--device", "cpu", folder=out)
    assert "neither a camera nor a file; expected auto, none, a file or one of cam00, cam02, cam05" in line


@pytest.mark.parametrize(
    ("text", "rate"), [("96k", 96_000), ("64 kbit/s", 64_000), ("510K", 510_000), ("6000", 6_000)]
)
def test_bit_rates_are_read(text: str, rate: int) -> None:
    assert parse_bit_rate(text) == rate


@pytest.mark.parametrize("text", ["", "5k", "511k", "96m", "-96k", "k"])
def test_other_bit_rates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a bit rate from 6k to 510k"):
        parse_bit_rate(text)
