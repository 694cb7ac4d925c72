"""Videos and numbered pictures: their content, and that failure leaves nothing behind."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dynerf_decoder.video.colour import FrameToRgb, is_tagged_bt709
from dynerf_decoder.video.frame_writer import open_output
from dynerf_format.errors import ConfigError, OutputError, ViewError
from support.full_disk import files_of_at_most
from support.video import flat_pictures, noisy_pictures

_ODD_RATE = Fraction(13_455_000, 448_957)  # the mean of varying times in units of 1/90000 s


def _write(path: Path, pictures: np.ndarray, fps: Fraction = Fraction(30), frames: int | None = None) -> None:
    height, width = pictures.shape[1:3]
    with open_output(path, width, height, fps, len(pictures) if frames is None else frames) as output:
        for picture in pictures:
            output.write(picture)


def _read(path: Path) -> np.ndarray:
    convert = FrameToRgb(str(path))
    with av.open(str(path)) as video:
        return np.stack([convert(frame) for frame in video.decode(video=0)])


def _seconds(ticks: int | None, unit: Fraction | None) -> Fraction:
    assert ticks is not None
    assert unit is not None
    return ticks * unit


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "fps", [Fraction(30), Fraction(30000, 1001), Fraction(25, 2), Fraction(1, 3), _ODD_RATE]
)
def test_a_video_has_exact_times_size_and_tags(tmp_path: Path, fps: Fraction) -> None:
    _write(tmp_path / "clip.mp4", flat_pictures(7), fps)
    with av.open(str(tmp_path / "clip.mp4")) as video:
        stream = video.streams.video[0]
        codec = stream.codec_context
        assert (codec.name, codec.pix_fmt, codec.width, codec.height) == ("h264", "yuv420p", 32, 24)
        assert is_tagged_bt709(codec)
        assert _seconds(stream.duration, stream.time_base) == 7 / fps
        times = [_seconds(frame.pts, frame.time_base) for frame in video.decode(stream)]
    assert times == [index / fps for index in range(7)]


def test_a_video_shows_the_written_pictures(tmp_path: Path) -> None:
    pictures = flat_pictures(10, 64, 48)
    _write(tmp_path / "clip.mp4", pictures)
    assert np.abs(_read(tmp_path / "clip.mp4").astype(int) - pictures).max() <= 3
    assert _names(tmp_path) == ["clip.mp4"]


def test_a_video_can_be_played_while_it_downloads(tmp_path: Path) -> None:
    _write(tmp_path / "clip.mp4", flat_pictures(3))
    data = (tmp_path / "clip.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_odd_sizes_are_extended_by_their_last_row_and_column(tmp_path: Path) -> None:
    pictures = np.zeros((2, 33, 47, 3), np.uint8)
    pictures[:, :, 40:] = 200
    _write(tmp_path / "clip.mp4", pictures)
    shown = _read(tmp_path / "clip.mp4").astype(int)
    assert shown.shape == (2, 34, 48, 3)
    assert np.abs(shown[:, :, 47] - 200).max() <= 6
    assert np.abs(shown[:, 33, :32]).max() <= 6


def test_pictures_are_exact_and_numbered_from_zero(tmp_path: Path) -> None:
    pictures = noisy_pictures(3, 33, 17)
    _write(tmp_path / "view_%03d.png", pictures)
    assert _names(tmp_path) == ["view_000.png", "view_001.png", "view_002.png"]
    for index, picture in enumerate(pictures):
        with av.open(str(tmp_path / f"view_{index:03d}.png")) as file:
            np.testing.assert_array_equal(next(file.decode(video=0)).to_ndarray(format="rgb24"), picture)


def test_a_plain_number_is_not_padded(tmp_path: Path) -> None:
    _write(tmp_path / "%d.PNG", flat_pictures(11))
    assert _names(tmp_path) == sorted(f"{index}.PNG" for index in range(11))


@pytest.mark.parametrize("name", ["a.png", "a_%d_%d.png", "a_%s.png", "a_%5d.png", "%%d.png", "100%_%d.png"])
def test_a_picture_name_without_exactly_one_number_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"exactly one frame number in the name, like name_%04d\.png"):
        open_output(tmp_path / name, 32, 24, Fraction(30), 2)


@pytest.mark.parametrize("name", ["clip.avi", "clip", "clip_%d.jpg"])
def test_other_suffixes_are_refused_naming_those_supported(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"supported are \.mp4 and name_%04d\.png"):
        open_output(tmp_path / name, 32, 24, Fraction(30), 2)


@pytest.mark.parametrize(
    ("width", "height", "fps", "frames"),
    [
        (0, 24, Fraction(30), 2),
        (32, -1, Fraction(30), 2),
        (32, 99999, Fraction(30), 2),
        (32, 24, Fraction(0), 2),
        (32, 24, Fraction(30.1), 2),
        (32, 24, Fraction(30), 0),
    ],
)
def test_impossible_sizes_and_rates_are_refused(
    tmp_path: Path, width: int, height: int, fps: Fraction, frames: int
) -> None:
    with pytest.raises(ViewError, match=r"clip\.mp4"):
        open_output(tmp_path / "clip.mp4", width, height, fps, frames)


def test_pictures_need_no_rate_that_a_video_could_have(tmp_path: Path) -> None:
    pictures = noisy_pictures(2, 32, 24)
    _write(tmp_path / "view_%d.png", pictures, Fraction(2**31 + 11, 2**32 - 5))
    assert _names(tmp_path) == ["view_0.png", "view_1.png"]


@pytest.mark.parametrize("name", ["clip.mp4", "view_%d.png"])
def test_a_missing_folder_is_refused_before_the_first_picture(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="missing"):
        open_output(tmp_path / "missing" / name, 32, 24, Fraction(30), 2)


@pytest.mark.parametrize(("name", "old"), [("clip.mp4", "clip.mp4"), ("view_%d.png", "view_1.png")])
def test_an_error_in_the_block_leaves_the_older_file_and_nothing_else(
    tmp_path: Path, name: str, old: str
) -> None:
    (tmp_path / old).write_bytes(b"older")
    with (
        pytest.raises(KeyboardInterrupt),
        open_output(tmp_path / name, 32, 24, Fraction(30), 4) as output,
    ):
        for picture in flat_pictures(3):
            output.write(picture)
        raise KeyboardInterrupt
    assert _names(tmp_path) == [old]
    assert (tmp_path / old).read_bytes() == b"older"


@pytest.mark.parametrize("name", ["clip.mp4", "view_%d.png"])
def test_too_few_pictures_leave_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="got 3 of 5 pictures"):
        _write(tmp_path / name, flat_pictures(3), frames=5)
    assert _names(tmp_path) == []


@pytest.mark.parametrize("name", ["clip.mp4", "view_%d.png"])
def test_too_many_pictures_or_another_size_are_errors(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="expected only 2"):
        _write(tmp_path / name, flat_pictures(3), frames=2)
    with (
        pytest.raises(ValueError, match=r"picture 0 is uint8 \(24, 32, 3\), expected uint8 \(24, 30, 3\)"),
        open_output(tmp_path / name, 30, 24, Fraction(30), 1) as output,
    ):
        output.write(flat_pictures(1)[0])
    assert _names(tmp_path) == []


def test_pictures_that_cannot_all_be_named_are_all_removed(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError),
        open_output(tmp_path / "view_%d.png", 32, 24, Fraction(30), 3) as output,
    ):
        for picture in flat_pictures(3):
            output.write(picture)
        (tmp_path / "view_1.png").mkdir()
    assert _names(tmp_path) == ["view_1.png"]


def test_a_video_is_not_silently_overwritten_by_one_that_reads_back_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"older")
    monkeypatch.setattr("dynerf_decoder.video.frame_writer.tag_bt709", lambda _codec: None)
    with pytest.raises(OutputError, match="reads back as 3 frames"):
        _write(tmp_path / "clip.mp4", flat_pictures(3))
    assert (tmp_path / "clip.mp4").read_bytes() == b"older"


@pytest.mark.parametrize(
    ("name", "limit"), [("clip.mp4", 100), ("clip.mp4", 60_000), ("view_%d.png", 20_000)]
)
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path, name: str, limit: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 96, 128, 3), dtype=np.uint8)
    expected = pytest.raises(OutputError, match="cannot be written: File too large")
    with files_of_at_most(limit), expected as caught:
        _write(tmp_path / name, noise)
    assert len(str(caught.value).splitlines()) == 1
    assert _names(tmp_path) == []
