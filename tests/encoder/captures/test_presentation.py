"""Statements of container, stream and frame about the presentation of pictures: refused by name or accepted.

The table of ``docs/reference/captures.md`` refers to these tests by name.
"""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.container import OutputContainer
from av.sidedata.sidedata import Type
from av.stream import Disposition
from av.video.stream import VideoStream

from dynerf_encoder.captures.orientation import quarter_turns
from dynerf_encoder.captures.presentation import check_side_data
from dynerf_encoder.captures.video import decode, probe
from dynerf_format.errors import CaptureError
from support.mp4 import add_to_sample_entry, box, set_matrix
from support.video import flat_pictures, write_video


def _video(folder: Path, **options: object) -> Path:
    return write_video(folder / "a.mp4", flat_pictures(4), **options)  # type: ignore[arg-type]


class TestOrientation:
    @pytest.mark.parametrize(
        ("matrix", "found"),
        [
            ((-1, 0, 0, 1), "shown mirrored, expected"),  # front cameras
            ((1, 0, 0, -1), "shown mirrored and rotated by 180 degrees"),
            ((0, 1, 1, 0), "shown mirrored and rotated by 90 degrees"),
            ((0.996, 0.087, -0.087, 0.996), "shown rotated by -5 degrees"),
        ],
    )
    def test_mirrored_and_slanted_pictures_are_refused_with_the_remedy(
        self, tmp_path: Path, matrix: tuple[float, float, float, float], found: str
    ) -> None:
        with pytest.raises(CaptureError, match=rf"a\.mp4: is to be {found}.*display_rotation 0"):
            probe(set_matrix(_video(tmp_path), *matrix))

    @pytest.mark.parametrize(
        ("matrix", "corner"),
        [  # where the upper left corner of the stored picture is shown; FFmpeg's players agree
            ((1, 0, 0, 1), (0, 0)),
            ((0, 1, -1, 0), (0, -1)),  # phones, held upright: clockwise
            ((-1, 0, 0, -1), (-1, -1)),
            ((0, -1, 1, 0), (-1, 0)),
        ],
    )
    def test_turned_pictures_are_decoded_upright(
        self, tmp_path: Path, matrix: tuple[float, float, float, float], corner: tuple[int, int]
    ) -> None:
        pictures = flat_pictures(4).copy()
        pictures[:, :4, :4] = 255
        path = set_matrix(write_video(tmp_path / "a.mp4", pictures), *matrix)
        facts = probe(path)
        turned = matrix[0] == 0
        assert (facts.width, facts.height) == ((24, 32) if turned else (32, 24))
        for picture in decode(path, range(1, 3)):
            assert picture.shape == (facts.height, facts.width, 3)
            assert picture[corner][0] > 240
            assert sum(int(picture[place][0]) > 240 for place in ((0, 0), (0, -1), (-1, 0), (-1, -1))) == 1

    def test_a_matrix_without_effect_is_accepted(self, tmp_path: Path) -> None:
        assert probe(set_matrix(_video(tmp_path), 2, 0, 0, 2)).frames == 4

    def test_a_stretching_matrix_is_refused(self) -> None:
        matrix = np.array([2 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], np.int32)
        with pytest.raises(CaptureError, match="a: is to be shown stretched by 2 x 1"):
            quarter_turns(matrix.tobytes(), "a")


class TestPixels:
    def test_pixels_that_are_not_square_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match=r"a\.mp4: pixels are 4/3 times as wide as high"):
            probe(_video(tmp_path, aspect=Fraction(4, 3)))

    @pytest.mark.parametrize("aspect", [Fraction(1), Fraction(100, 101), Fraction(135, 136)])
    def test_nearly_square_pixels_are_accepted(self, tmp_path: Path, aspect: Fraction) -> None:
        assert probe(_video(tmp_path, aspect=aspect)).frames == 4

    def test_cropping_by_the_container_is_refused(self, tmp_path: Path) -> None:
        path = _video(tmp_path, movflags="-faststart")
        add_to_sample_entry(path, box("clap", struct.pack(">IIIIiIiI", 16, 1, 20, 1, 0, 1, 0, 1)))
        with pytest.raises(CaptureError, match=r"a\.mp4: the container crops the pictures by 8/8/2/2 pixels"):
            probe(path)
        assert av.logging.get_level() is None


class TestFields:
    @pytest.mark.parametrize("first", ["tff", "bff"])
    def test_interlaced_video_is_refused_with_the_remedy(self, tmp_path: Path, first: str) -> None:
        coding = {"flags": "+ildct+ilme", "x264-params": f"{first}=1"}
        with pytest.raises(CaptureError, match=r"a\.mp4: is interlaced .*-vf bwdif=send_frame .*yadif"):
            probe(_video(tmp_path, coding=coding))

    @pytest.mark.parametrize("order", ["tt", "bb"])
    def test_a_field_order_that_only_the_container_states_is_refused(
        self, tmp_path: Path, order: str
    ) -> None:
        path = tmp_path / "a.mkv"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("ffv1", rate=30, options={"field_order": order})
            stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
            for picture in flat_pictures(2):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            out.mux(stream.encode(None))
        with pytest.raises(CaptureError, match=r"a\.mkv: is interlaced \((top|bottom) field first\)"):
            probe(path)

    def test_a_later_interlaced_frame_is_found_when_decoding(self, tmp_path: Path) -> None:
        path = tmp_path / "a.ts"
        with av.open(str(path), "w", format="mpegts") as out:
            stream = out.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
            for part, options in enumerate(({}, {"flags": "+ildct+ilme"})):
                coder = av.CodecContext.create("libx264", "w")
                coder.width, coder.height, coder.pix_fmt = 32, 24, "yuv420p"
                coder.time_base, coder.options = Fraction(1, 30), {"bf": "0", **options}
                for index, picture in enumerate(flat_pictures(4)):
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
                    frame.pts, frame.time_base = 4 * part + index, Fraction(1, 30)
                    _mux(out, stream, coder.encode(frame))
                _mux(out, stream, coder.encode(None))
        assert probe(path).frames == 8
        with pytest.raises(CaptureError, match=r"a\.ts: frame 4: is interlaced"):
            list(decode(path, range(8)))


def _mux(out: OutputContainer, stream: VideoStream, packets: list[Any]) -> None:
    for packet in packets:
        packet.stream = stream
        out.mux(packet)


class TestSideData:
    @pytest.mark.parametrize(("packing", "how"), [(3, "side by side"), (4, "one above the other")])
    def test_two_views_in_one_picture_are_refused(self, tmp_path: Path, packing: int, how: str) -> None:
        with pytest.raises(CaptureError, match=rf"a\.mp4: is stereoscopic, .* \({how}\), expected one view"):
            probe(_video(tmp_path, coding={"x264-params": f"frame-packing={packing}"}))

    def test_spherical_video_is_refused(self, tmp_path: Path) -> None:
        header = box("svhd", bytes(4) + b"camera\0")
        projection = box("proj", box("prhd", bytes(16)) + box("equi", bytes(20)))
        path = add_to_sample_entry(_video(tmp_path, movflags="-faststart"), box("sv3d", header + projection))
        with pytest.raises(CaptureError, match=r"a\.mp4: is a 360 degree video \(equirectangular"):
            probe(path)

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            (Type.DOVI_METADATA, "Dolby Vision"),
            (Type.DOVI_RPU_BUFFER, "Dolby Vision"),
            (Type.DYNAMIC_HDR_PLUS, r"HDR10\+"),
            (Type.DYNAMIC_HDR_VIVID, "HDR Vivid"),
        ],
    )
    def test_dynamic_hdr_is_refused(self, kind: Type, name: str) -> None:
        with pytest.raises(CaptureError, match=rf"a: HDR video \({name}\), expected SDR"):
            check_side_data({kind: b""}, "a")

    @pytest.mark.parametrize(("kind", "value"), [(Type.STEREO3D, 0), (Type.SPHERICAL, 4)])
    def test_one_view_of_a_pinhole_camera_is_accepted(self, kind: Type, value: int) -> None:
        check_side_data({kind: np.array([value, 0], np.int32).tobytes()}, "a")


def _with_tracks(path: Path, *tracks: tuple[int, Disposition | None], container: str | None = None) -> Path:
    """Video tracks, each (frames, disposition), 8 pixels wider and 40 levels brighter from track to track."""
    with av.open(str(path), "w", format=container) as out:
        streams = []
        for index, (_, disposition) in enumerate(tracks):
            codec = "mjpeg" if disposition == Disposition.attached_pic else "libx264"
            stream = out.add_stream(codec, rate=30)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height = 32 + 8 * index, 24
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            if disposition is not None:
                stream.disposition = disposition
            streams.append(stream)
        for index, (stream, (frames, _)) in enumerate(zip(streams, tracks, strict=True)):
            for number, picture in enumerate(flat_pictures(frames, 32 + 8 * index, 24, 40 * index)):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 30)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return path


class TestTracks:
    def test_cover_art_is_not_the_video(self, tmp_path: Path) -> None:
        path = _with_tracks(tmp_path / "a.mp4", (1, Disposition.attached_pic), (4, Disposition.default))
        facts = probe(path)
        assert (facts.width, facts.frames) == (40, 4)
        assert all(abs(int(p.mean()) - (56 + 4 * i)) <= 3 for i, p in enumerate(decode(path, range(4))))

    def test_a_thumbnail_in_the_first_track_is_not_the_video(self, tmp_path: Path) -> None:
        facts = probe(_with_tracks(tmp_path / "a.mp4", (1, None), (4, None)))
        assert (facts.width, facts.frames) == (40, 4)

    def test_of_two_videos_the_default_one_is_chosen(self, tmp_path: Path) -> None:
        path = _with_tracks(tmp_path / "a.mkv", (4, Disposition.original), (4, Disposition.default))
        assert probe(path).width == 40

    def test_two_equal_videos_are_refused(self, tmp_path: Path) -> None:
        path = _with_tracks(tmp_path / "a.mkv", (4, Disposition.default), (4, Disposition.default))
        with pytest.raises(CaptureError, match=r"2 videos \(track 0 of 32x24, track 1 of 40x24\), .*-map"):
            probe(path)

    def test_a_file_with_a_cover_only_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match=r"a\.mp4: holds track 0 of 32x24 as cover .* but no video"):
            probe(_with_tracks(tmp_path / "a.mp4", (1, Disposition.attached_pic)))
