"""Edit lists of MP4 and QuickTime files: shown as they state, or refused by name."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynerf_encoder.captures.edit_list import read_edits
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.captures.video import decode, probe
from dynerf_format.errors import CaptureError
from dynerf_format.frame_range import FrameRange
from support.mp4 import box, set_edit_list, set_edits
from support.video import flat_pictures, write_capture, write_video

_FRAME = 512  # units of the track
_ALL = 400  # milliseconds, the movie's units
_IN_ORDER: dict[str, str] = {}
# Two B-frames between others; lossless coding has none.
_REORDERED = {
    "bf": "2",
    "b_strategy": "0",
    "preset": "medium",
    "sc_threshold": "0",
    "qp": "4",
}  # lossless is not reordered
_UNIT = Fraction(1, 30 * _FRAME)

_Edits = Sequence[tuple[int, int, float]]


def _video(
    path: Path, edits: _Edits | None, coding: dict[str, str] = _IN_ORDER, *, wide: bool = False
) -> Path:
    """Twelve frames with the greys of 0 to 11, at 30 frames per second, before editing."""
    write_video(path, flat_pictures(12), movflags="+negative_cts_offsets", coding=coding)
    return path if edits is None else set_edits(path, edits, wide=wide)


def _shown(path: Path) -> list[int]:
    return [round((picture.mean() - 16) / 4) for picture in decode(path, range(probe(path).frames))]


@pytest.mark.parametrize("coding", [_IN_ORDER, _REORDERED], ids=["in order", "reordered"])
@pytest.mark.parametrize("wide", [False, True], ids=["version 0", "version 1"])
@pytest.mark.parametrize(
    ("edits", "start", "shown"),
    [
        pytest.param([(_ALL, 0, 1)], 0, [*range(12)], id="all"),
        pytest.param([(100, -1, 1), (_ALL, 0, 1)], 0.1, [*range(12)], id="starts later"),
        pytest.param([(100, -1, 0), (_ALL, 0, 1)], 0.1, [*range(12)], id="an empty edit has no rate"),
        pytest.param([(300, 3 * _FRAME, 1)], 0, [*range(3, 12)], id="hides the start"),
        pytest.param([(166, 0, 1)], 0, [*range(5)], id="hides the end"),
        pytest.param([(300, 3 * _FRAME - 51, 1)], 0.1 / 30, [*range(3, 12)], id="starts in a frame"),
    ],
)
def test_one_part_is_shown_as_stated(
    tmp_path: Path, coding: dict[str, str], wide: bool, edits: _Edits, start: float, shown: list[int]
) -> None:
    path = _video(tmp_path / "a.mp4", edits, coding, wide=wide)
    assert float(probe(path).timeline.start) == pytest.approx(start, abs=1e-3)
    assert _shown(path) == shown


def test_an_edit_from_time_0_on_starts_as_a_file_without_edits_does(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", flat_pictures(12), movflags="+disable_chpl", coding=_REORDERED)
    assert probe(path).timeline.start == 0  # FFmpeg's list hides the delay of reordered frames
    assert b"ctts" in path.read_bytes()
    lists: list[_Edits] = [[(_ALL, 0, 1)], []]
    assert [probe(set_edits(path, edits)).timeline.start * 30 for edits in lists] == [2, 2]


@pytest.mark.parametrize("coding", [_IN_ORDER, _REORDERED], ids=["in order", "reordered"])
@pytest.mark.parametrize(
    ("edits", "shown"),
    [
        pytest.param([(133, 0, 1), (200, 6 * _FRAME, 1)], [*range(4), *range(6, 12)], id="no middle"),
        pytest.param([(133, 0, 1), (133, 0, 1)], [0, 1, 2, 3] * 2, id="repeated"),
        pytest.param([(200, 6 * _FRAME, 1), (200, 0, 1)], [*range(6, 12), *range(6)], id="in another order"),
        pytest.param(
            [(200, -1, 1), (200, 6 * _FRAME, 1), (200, 0, 1)], [*range(6, 12), *range(6)], id="later"
        ),
    ],
)
def test_several_parts_that_ffmpeg_shows_as_stated_are_accepted(
    tmp_path: Path, coding: dict[str, str], edits: _Edits, shown: list[int]
) -> None:
    assert _shown(_video(tmp_path / "a.mp4", edits, coding)) == shown


def test_a_part_that_starts_between_keyframes_is_shown_or_refused(tmp_path: Path) -> None:
    edits = [(133, 0, 1), (134, 8 * _FRAME, 1)]
    assert _shown(_video(tmp_path / "a.mp4", edits)) == [0, 1, 2, 3, 8, 9, 10, 11]
    with pytest.raises(CaptureError, match="FFmpeg does not show frame 4 at the time"):
        probe(_video(tmp_path / "a.mp4", edits, _REORDERED))


@pytest.mark.parametrize(
    ("edits", "found"),
    [
        pytest.param([(200, 0, 2)], "plays the video at 2 times its rate", id="fast"),
        pytest.param([(800, 0, 0.5)], "plays the video at 0.5 times its rate", id="slow"),
        pytest.param([(400, 0, -1)], "plays the video at -1 times its rate", id="backwards"),
        pytest.param([(200, 0, 0), (400, 0, 1)], r"at 0 times its rate \(holds a frame\)", id="dwell"),
        pytest.param(
            [(133, 0, 1), (100, -1, 1), (267, 4 * _FRAME, 1)], r"a pause \(an empty edit\) after", id="pause"
        ),
        pytest.param([(133, 0, 1), (100, -1, 1)], r"a pause \(an empty edit\) after", id="pause at the end"),
        pytest.param([(0, 2 * _FRAME, 1)], "a part of duration 0, which shows nothing", id="duration 0"),
        pytest.param([(133, 0, 1), (0, 0, 1)], "a part of duration 0", id="duration 0 of the second"),
        pytest.param([(100, -1, 1)], "shows no frame", id="empty"),
        pytest.param([(400, 12 * _FRAME, 1)], "shows no frame", id="after the end"),
        pytest.param(
            [(200, 0, 1), (200, 6 * _FRAME + _FRAME // 2, 1)],
            "does not show frame 6 at the time that the edit list of 2 parts states",
            id="second part starts in a frame",
        ),
    ],
)
def test_what_ffmpeg_does_not_honour_is_refused_with_the_remedy(
    tmp_path: Path, edits: _Edits, found: str
) -> None:
    with pytest.raises(CaptureError, match=rf"a\.mp4: .*{found}.*; export .* -ignore_editlist 1"):
        probe(_video(tmp_path / "a.mp4", edits))


class TestPairing:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return write_capture(tmp_path / "scene", frames=12)

    @pytest.mark.parametrize("coding", [_IN_ORDER, _REORDERED], ids=["in order", "reordered"])
    def test_a_part_that_starts_half_a_frame_in_is_refused(
        self, folder: Path, coding: dict[str, str]
    ) -> None:
        _video(folder / "cam02.mp4", [(350, 3 * _FRAME // 2, 1)], coding)
        with pytest.raises(CaptureError, match=r"cam02 starts 0\.017 s \(0\.5 frames\) after the others"):
            read_n3v(folder, FrameRange(0, 6))

    def test_a_part_that_starts_just_before_a_frame_is_accepted(self, folder: Path) -> None:
        _video(folder / "cam02.mp4", [(400, 3 * _FRAME - _FRAME // 10, 1)])
        assert [view.first for view in read_n3v(folder, FrameRange(0, 6)).views] == [0, 0, 0]

    def test_a_part_that_starts_just_after_a_frame_is_paired_with_the_next(self, folder: Path) -> None:
        _video(folder / "cam02.mp4", [(400, 3 * _FRAME + 1, 1)])
        assert [view.first for view in read_n3v(folder, FrameRange(0, 6)).views] == [1, 0, 1]


class TestFragments:
    def _fragmented(self, path: Path, edits: _Edits) -> Path:
        write_video(path, flat_pictures(12), movflags="+frag_keyframe+empty_moov+default_base_moof")
        return set_edits(path, edits)

    def test_an_edit_without_a_duration_shows_all(self, tmp_path: Path) -> None:
        facts = probe(self._fragmented(tmp_path / "a.mp4", [(100, -1, 1), (0, 0, 1)]))
        assert (facts.frames, facts.timeline.start) == (12, Fraction(1, 10))

    def test_a_start_in_a_frame_is_honoured(self, tmp_path: Path) -> None:
        facts = probe(self._fragmented(tmp_path / "a.mp4", [(0, 3 * _FRAME // 2, 1)]))
        assert facts.timeline.start * 30 % 1 == Fraction(1, 2)

    @pytest.mark.parametrize(
        ("edits", "found"),
        [([(0, 0, 2)], "at 2 times its rate"), ([(200, 0, 1), (200, 0, 1)], "is fragmented and has 2 edits")],
    )
    def test_what_ffmpeg_does_not_honour_is_refused(self, tmp_path: Path, edits: _Edits, found: str) -> None:
        with pytest.raises(CaptureError, match=found):
            probe(self._fragmented(tmp_path / "a.mp4", edits))


class TestHostileFiles:
    def test_a_count_beyond_the_box_is_cut(self, tmp_path: Path) -> None:
        path = _video(tmp_path / "a.mp4", None)
        entry = struct.pack(">IIIii", 0, 2**32 - 1, _ALL, 0, 65536)
        assert _shown(set_edit_list(path, box("elst", entry))) == [*range(12)]

    def test_two_lists_are_refused(self, tmp_path: Path) -> None:
        path = _video(tmp_path / "a.mp4", None)
        both = 2 * box("elst", struct.pack(">IIIii", 0, 1, _ALL, 0, 65536))
        with pytest.raises(
            CaptureError, match=r"edit list cannot be read \(track 1 has 2\); write its index"
        ):
            probe(set_edit_list(path, both))

    def test_too_many_edits_are_refused(self, tmp_path: Path) -> None:
        path = _video(tmp_path / "a.mp4", [(1, 0, 1)] * 10_001)
        with pytest.raises(CaptureError, match="10001 edits, expected at most 10000"):
            read_edits(path, 1, _UNIT)

    def test_times_beyond_64_bits_are_limited(self, tmp_path: Path) -> None:
        path = _video(tmp_path / "a.mp4", [(2**64 - 1, 2**63 - 1, 1)] * 3, wide=True)
        with pytest.raises(CaptureError, match="shows no frame"):
            read_edits(path, 1, _UNIT)

    def test_a_table_that_states_many_frames_is_refused_without_memory(self, tmp_path: Path) -> None:
        path = _video(tmp_path / "a.mp4", [(_ALL, 0, 1)])
        data = bytearray(path.read_bytes())
        struct.pack_into(">I", data, data.index(b"stts") + 12, 2**32 - 1)
        path.write_bytes(data)
        with pytest.raises(CaptureError, match="4294967295 frames, expected at most 8388608"):
            read_edits(path, 1, _UNIT)

    def test_a_file_without_the_track_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match="0 tracks have number 7"):
            read_edits(_video(tmp_path / "a.mp4", None), 7, _UNIT)

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(changes=st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 255)), min_size=1, max_size=8))
    def test_changed_bytes_give_an_answer_or_an_error(
        self, tmp_path: Path, changes: list[tuple[int, int]]
    ) -> None:
        source = tmp_path / "source.mp4"
        if not source.exists():
            _video(source, [(100, -1, 1), (_ALL, 0, 1)])
        data = bytearray(source.read_bytes())
        index = data.index(b"moov") - 4
        for offset, value in changes:
            data[min(index + offset, len(data) - 1)] = value
        path = tmp_path / "a.mp4"
        path.write_bytes(data)
        try:
            read_edits(path, 1, _UNIT)
        except CaptureError as error:
            assert "\n" not in str(error)
