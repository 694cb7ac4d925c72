"""Sequences of pictures as the source of a camera."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dynerf_encoder.captures.picture_source import PictureSequence, VideoFile, open_source
from dynerf_format.errors import CaptureError
from support.layouts import write_png
from support.video import flat_pictures, noisy_pictures, write_video


@pytest.fixture
def pictures() -> np.ndarray:
    """Six pictures of 32x24 with detail."""
    return noisy_pictures(6, 32, 24)


@pytest.fixture
def folder(tmp_path: Path, pictures: np.ndarray) -> Path:
    """The pictures as ``cam00/000000.png`` and so on."""
    for frame, picture in enumerate(pictures):
        write_png(tmp_path / "cam00" / f"{frame:06}.png", picture)
    return tmp_path / "cam00"


def _write_jpeg(path: Path, picture: np.ndarray) -> None:
    with av.open(str(path), "w", format="mjpeg") as out:
        stream = out.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], "yuvj444p"
        stream.codec_context.qmin = stream.codec_context.qmax = 2
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


class TestSequence:
    def test_png_pictures_are_read_without_loss(self, folder: Path, pictures: np.ndarray) -> None:
        source = open_source(folder)
        facts = source.probe(Fraction(25))
        assert (facts.width, facts.height, facts.frames, facts.fps) == (32, 24, 6, Fraction(25))
        np.testing.assert_array_equal(np.stack(list(source.decode(range(2, 5)))), pictures[2:5])

    def test_a_pattern_selects_numbered_pictures(self, folder: Path, pictures: np.ndarray) -> None:
        write_png(folder / "mask_000000.png", pictures[0])
        source = open_source(folder / "%06d.png")
        assert isinstance(source, PictureSequence)
        assert [path.name for path in source.files] == [f"{frame:06}.png" for frame in range(6)]

    def test_numbers_are_sorted_as_numbers(self, tmp_path: Path, pictures: np.ndarray) -> None:
        for frame in range(12):
            write_png(tmp_path / f"{frame}.png", np.full((24, 32, 3), 10 * frame, np.uint8))
        levels = [int(picture[0, 0, 0]) for picture in open_source(tmp_path).decode(range(12))]
        assert levels == [10 * frame for frame in range(12)]

    def test_jpeg_pictures_have_their_own_matrix(self, tmp_path: Path) -> None:
        for frame in range(2):
            _write_jpeg(tmp_path / f"{frame}.jpg", np.full((24, 32, 3), (200, 60, 30), np.uint8))
        source = open_source(tmp_path)
        assert not source.probe().colour.assumed
        np.testing.assert_allclose(
            next(iter(source.decode(range(1)))), np.full((24, 32, 3), (200, 60, 30)), atol=4
        )

    def test_without_a_rate_it_is_thirty(self, folder: Path) -> None:
        assert open_source(folder).probe().fps == 30

    def test_its_digest_depends_on_every_picture_and_their_order(
        self, folder: Path, pictures: np.ndarray
    ) -> None:
        before = open_source(folder).digest()
        assert before.bytes == open_source(folder).size() == sum(p.stat().st_size for p in folder.iterdir())
        write_png(folder / "000000.png", pictures[1])
        write_png(folder / "000001.png", pictures[0])
        after = open_source(folder).digest()
        assert (after.bytes, after.sha256) != (before.bytes, before.sha256)
        assert after.sha256 != before.sha256

    def test_a_video_is_a_source_too(self, tmp_path: Path) -> None:
        path = write_video(tmp_path / "a.mp4", flat_pictures(4))
        source = open_source(path)
        assert isinstance(source, VideoFile)
        assert (source.probe().frames, source.size()) == (4, path.stat().st_size)


class TestRefused:
    def test_a_missing_picture_is_named(self, folder: Path) -> None:
        (folder / "000003.png").unlink()
        with pytest.raises(CaptureError, match="numbers, 0 to 5, have holes, the first after 2"):
            open_source(folder)
        with pytest.raises(CaptureError, match=r"%06d\.png: the pictures' numbers, 0 to 5, have holes"):
            open_source(folder / "%06d.png")

    def test_every_second_picture_is_a_sequence(self, folder: Path) -> None:
        for frame in (1, 3, 5):
            (folder / f"{frame:06}.png").unlink()
        assert open_source(folder).probe().frames == 3

    def test_two_formats_of_one_picture(self, folder: Path) -> None:
        _write_jpeg(folder / "000003.jpg", np.zeros((24, 32, 3), np.uint8))
        with pytest.raises(CaptureError, match="several pictures called 000003, expected one format"):
            open_source(folder)

    def test_another_size_within_a_sequence(self, folder: Path) -> None:
        write_png(folder / "000004.png", np.zeros((24, 30, 3), np.uint8))
        with pytest.raises(CaptureError, match=r"000004\.png: a picture of 30x24, expected 32x24"):
            list(open_source(folder).decode(range(6)))

    @pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"#EXTM3U\nfile:///etc/passwd\n", b"GIF89a"])
    def test_a_damaged_picture_is_named(self, folder: Path, data: bytes) -> None:
        (folder / "000000.png").write_bytes(data)
        with pytest.raises(CaptureError, match=r"000000\.png: (cannot be decoded|holds no|a picture of 0)"):
            open_source(folder).probe()

    def test_a_truncated_picture_is_named(self, folder: Path) -> None:
        path = folder / "000002.png"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(CaptureError, match=r"000002\.png: "):
            list(open_source(folder).decode(range(6)))

    def test_an_existing_file_is_not_a_pattern(self, tmp_path: Path) -> None:
        write_video(tmp_path / "%04d.mp4", flat_pictures(2))
        assert isinstance(open_source(tmp_path / "%04d.mp4"), VideoFile)

    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("nothing", "nothing: cannot be read: No such file"),
            ("%04d_%04d.png", "expected one number such as %04d"),
            ("other_%04d.png", "matches 0 pictures"),
            ("000000.png", "is a picture, expected a video, or a folder"),
        ],
    )
    def test_what_is_not_a_source(self, folder: Path, name: str, found: str) -> None:
        with pytest.raises(CaptureError, match=found):
            open_source(folder / name)

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match="holds 0 pictures"):
            open_source(tmp_path)
