"""Colour conversion against the formulas of H.273, and through real encoders and decoders."""

import itertools
from pathlib import Path
from typing import Any

import av
import av.video.format as video_format
import numpy as np
import pytest

from dynerf_decoder.video.colour import FrameToRgb, RgbToFrame, SourceColour, is_tagged_bt709
from dynerf_format.errors import CaptureError
from support.video import write_video

# Red and blue weights of luma, by H.273 matrix number.
_WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
# FFmpeg converts to rgb555be wrongly; PyAV's stubs lack the names.
_PIXEL_FORMATS = sorted(video_format.names - {"rgb555be"})  # type: ignore[attr-defined]
_COLOURS = list(itertools.product([0, 1, 37, 128, 200, 254, 255], repeat=3))


def _to_rgb(y: float, cb: float, cr: float, matrix: int, full: bool) -> np.ndarray:
    """The textbook inverse, in real numbers."""
    kr, kb = _WEIGHTS[matrix]
    luma = y / 255 if full else (y - 16) / 219
    blue, red = ((c - 128) / (255 if full else 224) for c in (cb, cr))
    r = luma + 2 * (1 - kr) * red
    b = luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    return np.asarray(np.clip([r, g, b], 0, 1) * 255)


def _flat_frame(y: int, cb: int, cr: int, matrix: int = 2, colour_range: int = 0) -> av.VideoFrame:
    planes = np.empty((3, 16, 16), np.uint8)
    planes[:] = np.array([y, cb, cr])[:, None, None]
    frame = av.VideoFrame.from_ndarray(planes, format="yuv444p")
    frame.colorspace, frame.color_range = matrix, colour_range
    return frame


@pytest.mark.parametrize("matrix", _WEIGHTS)
@pytest.mark.parametrize(("colour_range", "full"), [(1, False), (2, True), (0, False)])
def test_the_tagged_matrix_and_range_decide_the_colour(matrix: int, colour_range: int, full: bool) -> None:
    convert = FrameToRgb("a video")
    for y, cb, cr in [(16, 128, 128), (235, 128, 128), (90, 100, 160), (150, 170, 90), (60, 200, 120)]:
        rgb = convert(_flat_frame(y, cb, cr, matrix, colour_range))
        assert rgb.shape == (16, 16, 3)
        assert np.abs(rgb - _to_rgb(y, cb, cr, matrix, full)).max() <= 1.01


def test_an_untagged_frame_is_read_as_limited_bt709_and_marked_as_assumed() -> None:
    untagged, tagged = _flat_frame(90, 100, 160), _flat_frame(90, 100, 160, 1, 1)
    np.testing.assert_array_equal(FrameToRgb("a video")(untagged), FrameToRgb("a video")(tagged))
    assert SourceColour.of(untagged, "a video") == SourceColour(matrix=1, full_range=False, assumed=True)
    assert not SourceColour.of(tagged, "a video").assumed


def test_a_range_is_honoured_even_where_the_matrix_is_missing() -> None:
    rgb = FrameToRgb("a video")(_flat_frame(90, 100, 160, colour_range=2))
    assert np.abs(rgb - _to_rgb(90, 100, 160, 1, full=True)).max() <= 1.01


def test_reading_a_frame_leaves_its_tags_alone() -> None:
    frame = _flat_frame(90, 100, 160)
    FrameToRgb("a video")(frame)
    assert (frame.colorspace, frame.color_range) == (2, 0)


def test_rgb_video_needs_no_matrix_and_passes_unchanged() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="gbrp")
    np.testing.assert_array_equal(FrameToRgb("a video")(frame), picture)
    assert not SourceColour.of(frame, "a video").assumed


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_with_the_video_named(transfer: int, name: str) -> None:
    frame = _flat_frame(90, 100, 160, 9, 1)
    frame.color_trc = transfer
    with pytest.raises(CaptureError, match=rf"^cam07\.mp4: HDR video \({name} transfer\), expected SDR"):
        FrameToRgb("cam07.mp4")(frame)


def test_a_matrix_that_cannot_be_inverted_is_refused() -> None:
    with pytest.raises(CaptureError, match="colour matrix 8"):
        SourceColour.of(_flat_frame(90, 100, 160, matrix=8), "cam07.mp4")


def test_solid_colours_survive_a_lossless_round_trip_within_two_levels(tmp_path: Path) -> None:
    pictures = [np.full((16, 16, 3), colour, np.uint8) for colour in _COLOURS]
    path = write_video(tmp_path / "solid.mp4", pictures, pixel_format="yuv444p")
    convert = FrameToRgb(str(path))
    with av.open(str(path)) as video:
        errors = [
            np.abs(convert(frame).astype(int) - picture).max()
            for frame, picture in zip(video.decode(video=0), pictures, strict=True)
        ]
    assert max(errors) <= 2  # 219 luma steps for 256 levels: one level of rounding each way
    assert np.mean(errors) < 1.0


def test_a_smooth_picture_survives_chroma_subsampling_within_four_levels() -> None:
    y, x = np.mgrid[0:64, 0:64]
    picture = np.stack([x * 4, y * 4, 255 - x * 2 - y * 2], axis=-1).astype(np.uint8)
    error = np.abs(FrameToRgb("a video")(RgbToFrame()(picture)).astype(int) - picture)
    assert error.max() <= 4
    assert error.mean() < 1.3


def test_output_frames_hold_limited_bt709_by_the_formula() -> None:
    for colour in [(0, 0, 0), (255, 255, 255), (255, 0, 0), (10, 200, 90)]:
        frame = RgbToFrame("yuv444p")(np.full((8, 8, 3), colour, np.uint8))
        samples = frame.to_ndarray(channel_last=True)[4, 4]
        y, cb, cr = (float(sample) for sample in samples)
        assert np.abs(_to_rgb(y, cb, cr, 1, full=False) - colour).max() <= 2
        assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)


def test_the_four_tags_survive_in_a_file(tmp_path: Path) -> None:
    pictures = [np.zeros((16, 16, 3), np.uint8)]
    for name, tagged in (("with.mp4", True), ("without.mp4", False)):
        with av.open(str(write_video(tmp_path / name, pictures, tagged=tagged))) as video:
            assert is_tagged_bt709(video.streams.video[0].codec_context) is tagged


def _grey_frame(pixels: str, level: int, colour_range: int) -> av.VideoFrame:
    """A grey frame of one level, in 8 bits, of any bit depth."""
    frame = av.VideoFrame(16, 16, pixels)
    bits = frame.format.components[0].bits
    kind = np.uint8 if bits == 8 else np.dtype(">u2" if pixels.endswith("be") else "<u2")
    plane = frame.planes[0]
    frame.planes[0].update(
        np.full(plane.buffer_size // np.dtype(kind).itemsize, level << bits - 8, kind).tobytes()
    )
    frame.color_range = colour_range
    return frame


@pytest.mark.parametrize("pixels", ["gray", "gray10le", "gray10be", "gray12le", "gray16le", "ya8"])
@pytest.mark.parametrize("level", [0, 16, 110, 235, 255])
def test_grey_is_read_by_its_range(pixels: str, level: int) -> None:
    convert = FrameToRgb("a video")
    limited = np.clip((level - 16) / 219, 0, 1) * 255
    assert np.abs(convert(_grey_frame(pixels, level, 1)) - limited).max() <= 1.01
    assert np.abs(convert(_grey_frame(pixels, level, 2)).astype(int) - level).max() <= 1


@pytest.mark.parametrize(
    ("codec", "expected"), [("h264", 128), ("hevc", 128), ("ffv1", 126), ("rawvideo", 126)]
)
def test_grey_without_a_range_is_limited_where_the_standard_says_so(codec: str, expected: int) -> None:
    frame = _grey_frame("gray", 126, 0)
    assert FrameToRgb("a video", codec)(frame)[8, 8].tolist() == [expected] * 3
    assert SourceColour.of(frame, "a video", codec).assumed is (expected == 128)


def test_limited_rgb_is_expanded() -> None:
    frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), (16, 110, 235), np.uint8), format="rgb24")
    frame.color_range = 1
    assert FrameToRgb("a video")(frame)[8, 8].tolist() == [0, 109, 255]


def test_palette_colours_are_read() -> None:
    palette = np.tile(np.array([255, 200, 90, 40], np.uint8), (256, 1))  # alpha, red, green, blue
    pair: Any = (np.zeros((16, 16), np.uint8), palette)
    frame = av.VideoFrame.from_ndarray(pair, format="pal8")
    assert FrameToRgb("a video")(frame)[8, 8].tolist() == [200, 90, 40]


@pytest.mark.parametrize("pixels", _PIXEL_FORMATS)
def test_every_pixel_format_gives_the_right_colour_or_is_refused(pixels: str) -> None:
    flat = _flat_frame(90, 100, 160, 1, 1)
    if pixels.startswith("yuvj"):
        flat = _flat_frame(90, 100, 160, 1, 2)
    try:
        frame = flat.reformat(
            format=pixels, src_colorspace=1, dst_colorspace=1, dst_color_range=flat.color_range
        )
    except (ValueError, OSError):  # FFmpeg cannot convert to it
        return
    grey = pixels.startswith(("gray", "ya"))
    frame.colorspace = 0 if frame.format.is_rgb else 1
    frame.color_range = 2 if frame.format.is_rgb or grey else flat.color_range
    try:
        rgb = FrameToRgb("a video")(frame)
    except CaptureError as error:
        assert f"pixel format {pixels}" in str(error)
        return
    expected = _to_rgb(90, 100, 160, 1, full=pixels.startswith("yuvj"))
    if grey:
        expected = np.full(3, rgb[8, 8, 0])  # of a range that swscale chooses: grey has its own tests
    coarse = 20 if min(component.bits for component in frame.format.components) < 8 else 3
    assert np.abs(rgb[8, 8] - expected).max() <= coarse


@pytest.mark.parametrize(
    ("transfer", "name"), [(8, "linear light"), (9, "logarithmic light"), (17, "digital cin")]
)
def test_transfers_that_are_not_display_referred_are_refused(transfer: int, name: str) -> None:
    frame = _flat_frame(90, 100, 160, 1, 1)
    frame.color_trc = transfer
    with pytest.raises(CaptureError, match=rf"^a: .*{name}.*, expected SDR"):
        SourceColour.of(frame, "a")


@pytest.mark.parametrize(("primaries", "name"), [(1, None), (6, None), (9, "BT.2020"), (12, "Display P3")])
def test_wide_primaries_are_named(primaries: int, name: str | None) -> None:
    frame = _flat_frame(90, 100, 160, 1, 1)
    frame.color_primaries = primaries
    assert SourceColour.of(frame, "a").wide == name
