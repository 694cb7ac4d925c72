"""Keyframes: every K-th frame or by change, always with both ends; and how change is measured."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynerf_encoder.schedule.keyframes import adaptive_keyframes, fixed_keyframes, frame_changes
from support.encoding import Notes, contents, scene_store, tiny_encode, tiny_job, write_scene


class TestAdaptive:
    def test_equal_changes_give_equal_distances(self) -> None:
        assert adaptive_keyframes(np.ones(31), 6) == (0, 6, 12, 18, 24, 30)

    def test_they_are_denser_where_the_video_changes(self) -> None:
        changes = np.full(101, 0.1)
        changes[40:50] = 10.0
        chosen = adaptive_keyframes(changes, 11)
        assert sum(39 <= frame <= 50 for frame in chosen) >= 9

    def test_in_a_still_video_they_are_evenly_spaced(self) -> None:
        assert adaptive_keyframes(np.zeros(33), 5) == (0, 8, 16, 24, 32)

    def test_one_cut_gets_a_keyframe_on_both_sides(self) -> None:
        changes = np.zeros(20)
        changes[7] = 1.0
        assert {6, 7} <= set(adaptive_keyframes(changes, 5)) or {0, 7} <= set(adaptive_keyframes(changes, 5))

    @settings(max_examples=50, deadline=None)
    @given(changes=st.lists(st.floats(0, 255), min_size=1, max_size=40), interval=st.integers(1, 50))
    def test_there_are_as_many_as_fixed_ones_and_both_ends_are_among_them(
        self, changes: list[float], interval: int
    ) -> None:
        fixed = fixed_keyframes(len(changes), interval)
        chosen = adaptive_keyframes(np.array(changes), len(fixed))
        assert len(chosen) == len(fixed)
        assert chosen == tuple(sorted(set(chosen)))
        assert (chosen[0], chosen[-1]) == (0, len(changes) - 1)


def test_change_is_the_mean_absolute_difference_to_the_frame_before(tmp_path: Path) -> None:
    store = scene_store(tmp_path, frames=4)
    changes = frame_changes(store, (1, 2))
    assert changes[0] == 0
    for frame in range(1, 4):
        pairs = [np.array(store.view(view)[frame - 1 : frame + 1, ::4, ::4]).astype(float) for view in (1, 2)]
        expected = np.mean([np.abs(after - before).mean() for before, after in pairs])
        assert changes[frame] == pytest.approx(expected)


class TestEncoding:
    def test_reports_adaptive_keyframes_and_records_the_choice(self, tmp_path: Path) -> None:
        notes = Notes()
        capture = write_scene(tmp_path / "scene")
        tiny_encode(tiny_job(capture, tmp_path / "a.dnv", "schedule.keyframes=auto"), notes)
        assert any(text.startswith("keyframes, where the video changes most: 0, ") for text in notes.messages)
        assert contents(tmp_path / "a.dnv")[0].config["schedule"]["keyframes"] == "auto"

    def test_reports_the_interval_of_a_clip_shorter_than_the_requested_one(self, tmp_path: Path) -> None:
        notes = Notes()
        capture = write_scene(tmp_path / "scene")
        tiny_encode(tiny_job(capture, tmp_path / "a.dnv", "schedule.keyframe_interval=30"), notes)
        assert "keyframes: every 1 frames, because the clip has no more than 30" in notes.messages
