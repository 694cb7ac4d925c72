"""Importance maps: drawing from them, building them in bounded memory, caching them, and clean failures."""

import json
import os
import tracemalloc
from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import SupportsIndex

import numpy as np
import pytest

from dynerf_decoder.cameras.camera import Camera
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance import build as importance
from dynerf_encoder.importance.build import ImportanceMap, build_isg, build_ist
from dynerf_encoder.importance.weights import isg_weights, ist_weights, temporal_median
from dynerf_format.errors import ConfigError, OutputError
from dynerf_format.frame_range import FrameRange
from support.full_disk import files_of_at_most
from support.video import ROOT, example_pose

_VIEWS = (0, 2)


def make_store(folder: Path, pictures: np.ndarray, fingerprint: str = "one") -> FrameStore:
    """A frame store that holds exactly ``pictures``, uint8 (view, frame, height, width, 3)."""
    views, frames, height, width = pictures.shape[:4]
    folder.mkdir(exist_ok=True)
    for index, of_view in enumerate(pictures):
        of_view.tofile(folder / f"cam{index:02}.rgb")
    focal = 1.25 * width
    cameras = [
        Camera(
            f"cam{i:02}",
            width,
            height,
            focal,
            1.1 * focal,
            width / 2 + 0.3,
            height / 2 - 0.2,
            example_pose(i),
        )
        for i in range(views)
    ]
    return FrameStore(
        folder=folder,
        names=tuple(camera.name for camera in cameras),
        cameras=tuple(cameras),
        near=(0.5,) * views,
        far=(8.0,) * views,
        frames=frames,
        height=height,
        width=width,
        fps=Fraction(30),
        first_source_frame=0,
        fingerprint=fingerprint,
        covered=(None,) * views,
        _pictures=tuple(
            np.memmap(folder / f"{camera.name}.rgb", np.uint8, mode="r", shape=pictures.shape[1:])
            for camera in cameras
        ),
    )


class GuardedStore(FrameStore):
    """A store whose view 1 is held out: reading it fails the test."""

    @classmethod
    def around(cls, store: FrameStore) -> "GuardedStore":
        return cls(**{field.name: getattr(store, field.name) for field in fields(store)})

    def view(self, index: SupportsIndex) -> np.memmap:
        assert int(index) != 1, "the held-out view was read"
        return super().view(index)

    def gather(self, view_idx: np.ndarray, frame_idx: np.ndarray, pixel_idx: np.ndarray) -> np.ndarray:
        assert 1 not in view_idx, "the held-out view was gathered from"
        return super().gather(view_idx, frame_idx, pixel_idx)


def make_map(
    weights: np.ndarray, frames: list[int] | None = None, views: tuple[int, ...] = _VIEWS
) -> ImportanceMap:
    """A map in memory of weights (frame, view, row, column)."""
    numbers = np.array(range(len(weights)) if frames is None else frames, np.int64)
    return ImportanceMap(weights.astype(np.uint8), weights.sum(axis=3, dtype=np.uint32), numbers, views)


@pytest.fixture
def pictures() -> np.ndarray:
    """Three views, 8 frames of 15x11 (odd, so that nothing is aligned): noise on a static background."""
    rng = np.random.default_rng(1)
    ground = rng.integers(20, 200, (3, 1, 11, 15, 3))
    noise = rng.integers(-20, 56, (3, 8, 11, 15, 3)) * (rng.random((3, 8, 11, 15, 1)) < 0.4)
    return (ground + noise).astype(np.uint8)


@pytest.fixture
def store(tmp_path: Path, pictures: np.ndarray) -> FrameStore:
    return make_store(tmp_path / "store", pictures)


class _Progress:
    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.calls.append((done, total))


def _isg(store: FrameStore, folder: Path, **changes: object) -> int:
    """Build the ISG map of all frames, with ``changes``, and return how many rows were computed."""
    progress = _Progress()
    options: dict[str, object] = {"views": _VIEWS, "frames": range(store.frames), "gamma": 0.02}
    build_isg(store, folder=folder, progress=progress, **{**options, **changes})  # type: ignore[arg-type]
    return progress.calls[-1][1] if progress.calls else 0


def _drawn(importance_map: ImportanceMap, frame: int) -> np.ndarray:
    """The weights (view, pixel) of a map, recovered by drawing each unit of weight once."""
    total = importance_map._line_ends[list(importance_map.frames).index(frame), -1]
    views, pixels = importance_map.draw(frame, (np.arange(total) + 0.5) / total)
    return np.array([np.bincount(pixels[views == view], minlength=165) for view in importance_map.views])


def _owner(weights: list[int], unit: int) -> int:
    """The entry whose interval of the running sum contains ``unit``, by linear search."""
    index = 0
    while unit >= weights[index]:
        unit -= weights[index]
        index += 1
    return index


class TestDraw:
    @pytest.mark.parametrize("width", [1, 2, 63, 64, 65, 200])
    def test_each_number_selects_the_pixel_whose_interval_contains_it(self, width: int) -> None:
        rng = np.random.default_rng(width)
        weights = rng.integers(0, 256, (2, 2, 5, width)) * (rng.random((2, 2, 5, width)) < 0.5)
        weights[0, 0, 0] = weights[0, 1, 4] = weights[1, :, 2] = 0
        weights[0, 0, 3] = weights[1, 0, 0] = 255
        drawn = make_map(weights, [4, 9])
        for slot, frame in enumerate((4, 9)):
            flat = weights[slot].reshape(-1)
            uniforms = np.concatenate([[0, np.nextafter(1, 0)], rng.random(200)])
            slow = [_owner(flat.tolist(), min(int(u * flat.sum()), flat.sum() - 1)) for u in uniforms]
            views, pixels = drawn.draw(frame, uniforms)
            np.testing.assert_array_equal(np.array([0, 1])[views // 2] * 5 * width + pixels, slow)

    def test_every_unit_of_weight_is_drawn_exactly_once(self) -> None:
        weights = np.random.default_rng(0).integers(0, 4, (1, 2, 11, 15))
        np.testing.assert_array_equal(_drawn(make_map(weights), 0), weights.reshape(2, 165))

    def test_the_weights_of_all_views_are_normalised_together(self) -> None:
        rng = np.random.default_rng(0)
        weights = rng.integers(5, 60, (1, 2, 6, 70))
        weights[:, 1] *= 4  # normalised per view, both views would get half of the rays
        views, pixels = make_map(weights, views=(3, 5)).draw(0, rng.random(100_000))
        found = np.array([np.bincount(pixels[views == view], minlength=420) for view in (3, 5)])
        expected = 100_000 * weights.reshape(2, 420) / weights.sum()
        chi_square = ((found - expected) ** 2 / expected).sum()
        freedom = 2 * 420 - 1  # mean of the statistic; its deviation is sqrt(2 * freedom)
        assert abs(chi_square - freedom) < 4 * np.sqrt(2 * freedom)
        assert found[1].sum() / 100_000 == pytest.approx(weights[:, 1].sum() / weights.sum(), abs=0.006)

    def test_views_are_the_stores_numbers_in_their_own_order(self) -> None:
        weights = np.zeros((1, 3, 2, 2))
        weights[0, 1, 1, 0] = 7
        views, pixels = make_map(weights, views=(4, 2, 0)).draw(0, np.array([0.0, 0.9]))
        assert (views.tolist(), pixels.tolist()) == ([2, 2], [2, 2])

    def test_a_frame_of_zero_weights_is_drawn_from_uniformly(self) -> None:
        still = make_map(np.zeros((1, 2, 3, 4)))
        views, pixels = still.draw(0, (np.arange(240) + 0.5) / 240)
        assert np.bincount(views // 2 * 12 + pixels).tolist() == [10] * 24
        views, pixels = still.draw(0, np.array([0.0, np.nextafter(1, 0)]))
        assert (views.tolist(), pixels.tolist()) == ([0, 2], [0, 11])

    def test_drawing_no_rays_and_repeated_drawing(self) -> None:
        drawn = make_map(np.random.default_rng(0).integers(0, 256, (1, 2, 5, 100)))
        uniforms = np.random.default_rng(1).random(100)
        np.testing.assert_array_equal(drawn.draw(0, uniforms), drawn.draw(0, uniforms))
        assert [part.shape for part in drawn.draw(0, np.zeros(0))] == [(0,), (0,)]

    def test_sums_beyond_32_bits(self) -> None:
        weights = np.full((1, 2, 4, 3), 255)
        sums = np.full((1, 2, 4), 2**32 - 1, np.uint32)  # as if the rows were 17 million pixels wide
        drawn = ImportanceMap(weights.astype(np.uint8), sums, np.array([0]), _VIEWS)
        assert drawn._line_ends[0, -1] == 8 * (2**32 - 1)

    @pytest.mark.parametrize("frame", [-1, 0, 5, 10])
    def test_a_frame_that_has_no_weights_is_refused(self, frame: int) -> None:
        with pytest.raises(IndexError, match=f"frame {frame} has no weights, 2 other frames have"):
            make_map(np.ones((2, 2, 1, 1)), [4, 9]).draw(frame, np.zeros(1))


class TestBuild:
    def test_isg_is_the_formula_for_every_view_and_frame(
        self, store: FrameStore, pictures: np.ndarray, tmp_path: Path
    ) -> None:
        built = build_isg(store, _VIEWS, range(8), 0.02, tmp_path / "maps")
        assert (built.views, built.frames.tolist()) == (_VIEWS, list(range(8)))
        flat = pictures.reshape(3, 8, 165, 3)
        expected = np.stack([isg_weights(flat[v], temporal_median(flat[v]), 0.02) for v in _VIEWS], axis=1)
        for frame in range(8):
            np.testing.assert_array_equal(_drawn(built, frame), expected[frame])
        data = (tmp_path / "maps" / "isg.map").read_bytes()
        np.testing.assert_array_equal(np.frombuffer(data, np.uint8, expected.size), expected.reshape(-1))
        assert len(data) == expected.size + 4 * 8 * 2 * 11

    def test_the_median_of_keyframes_is_over_all_frames(
        self, store: FrameStore, pictures: np.ndarray, tmp_path: Path
    ) -> None:
        built = build_isg(store, [2], np.array([5, 0]), 1e-3, tmp_path)
        assert built.frames.tolist() == [0, 5]
        flat = pictures[2].reshape(8, 165, 3)
        expected = isg_weights(flat, temporal_median(flat), 1e-3)
        for frame in (0, 5):
            np.testing.assert_array_equal(_drawn(built, frame)[0], expected[frame])

    def test_ist_is_the_formula_for_every_view_and_frame(
        self, store: FrameStore, pictures: np.ndarray, tmp_path: Path
    ) -> None:
        built = build_ist(store, (2, 0), 3, 0.1, tmp_path)
        expected = [ist_weights(pictures[v].reshape(8, 165, 3), 3, 0.1) for v in (2, 0)]
        for frame in range(8):
            np.testing.assert_array_equal(_drawn(built, frame), [of_view[frame] for of_view in expected])

    def test_held_out_views_are_not_read(self, store: FrameStore, tmp_path: Path) -> None:
        guarded = GuardedStore.around(store)
        with pytest.raises(AssertionError, match="held-out"):
            build_ist(guarded, (0, 1), 3, 0.1, tmp_path / "all")
        for built in (
            build_isg(guarded, _VIEWS, [0, 4], 1e-3, tmp_path / "maps"),
            build_ist(guarded, _VIEWS, 3, 0.1, tmp_path / "maps"),
        ):
            views, _ = built.draw(0, np.random.default_rng(0).random(1000))
            assert set(views) == {0, 2}

    def test_progress_counts_rows_up_to_the_total(
        self, store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(importance, "TILE_BYTES", 8 * 15 * 4)  # 4 rows of 8 frames
        progress = _Progress()
        build_ist(store, _VIEWS, 3, 0.1, tmp_path, progress)
        assert progress.calls == [(done, 22) for done in (4, 8, 11, 15, 19, 22)]
        assert _isg(store, tmp_path) == 44  # the median's rows and the map's
        assert _isg(store, tmp_path, gamma=0.5) == 22

    @pytest.mark.parametrize(("tile", "chunk"), [(1, 50), (500, 100), (2000, 700)])
    def test_sizes_of_tiles_and_chunks_do_not_affect_the_result(
        self, store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tile: int, chunk: int
    ) -> None:
        def build(folder: Path) -> list[bytes]:
            build_isg(store, _VIEWS, range(8), 0.02, folder)
            build_isg(store, _VIEWS, [1, 4], 1e-3, folder)
            build_ist(store, _VIEWS, 3, 0.1, folder)
            return [path.read_bytes() for path in sorted(folder.iterdir())]

        expected = build(tmp_path / "whole")
        monkeypatch.setattr(importance, "TILE_BYTES", tile)
        monkeypatch.setattr(importance, "CHUNK", chunk)
        assert build(tmp_path / "tiled") == expected

    def test_memory_is_bounded_by_the_tile_size_not_by_the_store(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pictures = np.random.default_rng(0).integers(0, 256, (2, 40, 32, 128, 3), dtype=np.uint8)
        store = make_store(tmp_path / "store", pictures)  # 983 kB, its maps ten tiles each
        monkeypatch.setattr(importance, "TILE_BYTES", 2**15)
        monkeypatch.setattr(importance, "CHUNK", 2**11)
        del pictures

        def maps(folder: Path) -> None:
            build_isg(store, (0, 1), range(40), 0.02, folder)
            build_ist(store, (0, 1), 25, 0.1, folder)

        maps(tmp_path / "first")  # what stays in memory after a first call is not counted
        tracemalloc.start()
        maps(tmp_path / "maps")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        sums = 40 * 2 * 32 * (4 + 8)
        assert peak < sums + 2**15 + 2**11 * 40 + 60_000  # the last: JSON, paths, Python itself

    def test_in_the_bundled_capture_weights_follow_motion(self, tmp_path: Path) -> None:
        capture = read_n3v(ROOT / "samples" / "candle")
        store = FrameStore.build(capture, tmp_path / "store", frames=FrameRange(0, 12), downscale=2)
        views = tuple(range(1, 13))
        isg = build_isg(store, views, range(12), 0.02, tmp_path / "maps")
        ist = build_ist(store, views, 25, 0.1, tmp_path / "maps")
        colours = store.view(7).astype(np.float64).reshape(12, -1, 3) / 255
        x = colours - np.median(colours, axis=0)
        slow = 255 * (x**2 / (x**2 + 0.02**2)).mean(axis=-1)
        assert np.abs(isg._lines.reshape(12, 12, -1)[:, 6] - slow).max() <= 0.5 + 1e-3
        pairs = np.abs(colours[5] - colours).mean(axis=-1).max(axis=0)
        slow = np.rint(255 * np.maximum(0.1, pairs))
        np.testing.assert_array_equal(ist._lines.reshape(12, 12, -1)[5, 6], slow)
        # Pixels drawn by weight change more over time than pixels drawn uniformly.
        rng = np.random.default_rng(0)
        change = np.ptp(colours.mean(axis=-1), axis=0)
        for drawn in (isg, ist):
            drawn_views, pixels = drawn.draw(5, rng.random(20_000))
            assert change[pixels[drawn_views == 7]].mean() > 1.2 * change.mean()


class TestCache:
    def test_a_second_build_reads_no_picture_and_writes_nothing(
        self, store: FrameStore, tmp_path: Path
    ) -> None:
        folder = tmp_path / "maps"
        assert _isg(store, folder) > 0
        build_ist(store, _VIEWS, 3, 0.1, folder)
        before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
        without_pictures = replace(store, _pictures=())
        assert _isg(without_pictures, folder) == 0
        built = build_ist(without_pictures, _VIEWS, 3, 0.1, folder)
        assert built.draw(7, np.array([0.5]))[0].shape == (1,)
        assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before

    def test_maps_of_keyframes_and_of_all_frames_are_both_kept_and_share_the_median(
        self, store: FrameStore, tmp_path: Path
    ) -> None:
        assert _isg(store, tmp_path / "maps", frames=[0, 4], gamma=1e-3) == 44
        assert _isg(store, tmp_path / "maps") == 22
        assert _isg(store, tmp_path / "maps", frames=[4, 0], gamma=1e-3) == 0
        names = sorted(path.name for path in (tmp_path / "maps").iterdir())
        stems = ("isg", "isg_keyframes", "median")
        assert names == [f"{stem}.{end}" for stem in stems for end in ("json", "map")]

    @pytest.mark.parametrize(
        ("changes", "rows"),
        [({"gamma": 0.03}, 22), ({"views": (2, 0)}, 44), ({"views": (0,)}, 22), ({"frames": [1]}, 22)],
    )
    def test_changed_parameters_rebuild_the_map(
        self, store: FrameStore, tmp_path: Path, changes: dict[str, object], rows: int
    ) -> None:
        _isg(store, tmp_path)
        assert _isg(store, tmp_path, **changes) == rows
        assert _isg(store, tmp_path, **changes) == 0

    @pytest.mark.parametrize("changes", [(4, 0.1), (3, 0.2)])
    def test_ist_depends_on_window_and_floor(
        self, store: FrameStore, tmp_path: Path, changes: tuple[int, float]
    ) -> None:
        progress = _Progress()
        build_ist(store, _VIEWS, 3, 0.1, tmp_path, progress)
        build_ist(store, _VIEWS, *changes, tmp_path, progress)
        assert len(progress.calls) == 4

    def test_another_store_rebuilds_the_map(
        self, store: FrameStore, pictures: np.ndarray, tmp_path: Path
    ) -> None:
        _isg(store, tmp_path / "maps")
        old = build_isg(store, _VIEWS, range(8), 0.02, tmp_path / "maps")
        before = _drawn(old, 3)
        other = make_store(tmp_path / "other", pictures[::-1].copy(), "two")
        assert _isg(other, tmp_path / "maps") == 44
        np.testing.assert_array_equal(_drawn(old, 3), before)  # a mapped file stays readable when replaced

    @pytest.mark.parametrize("name", ["isg.map", "isg.json", "median.map"])
    @pytest.mark.parametrize("size", [None, 0, 1, 7])
    def test_a_missing_file_or_one_of_another_size_is_rebuilt(
        self, store: FrameStore, tmp_path: Path, name: str, size: int | None
    ) -> None:
        _isg(store, tmp_path)
        path = tmp_path / name
        path.unlink() if size is None else os.truncate(path, size)
        if name == "median.map":
            assert _isg(store, tmp_path) == 0  # the map exists, so the median is not needed
        assert _isg(store, tmp_path, gamma=0.5) == (44 if name == "median.map" else 22)
        assert _isg(store, tmp_path, gamma=0.5) == 0

    @pytest.mark.parametrize(
        "manifest", ["", "{", "[]", "null", "[" * 100_000, "\xff" * 9, "9" * 5_000, "{}"]
    )
    def test_a_malformed_manifest_counts_as_nothing_cached(
        self, store: FrameStore, tmp_path: Path, manifest: str
    ) -> None:
        _isg(store, tmp_path)
        (tmp_path / "isg.json").write_text(manifest, encoding="latin-1")
        assert _isg(store, tmp_path) == 22

    def test_a_huge_manifest_is_not_read(self, store: FrameStore, tmp_path: Path) -> None:
        _isg(store, tmp_path)
        with (tmp_path / "isg.json").open("ab") as file:
            file.write(b" " * 2**22)
        assert _isg(store, tmp_path) == 22

    def test_symlinks_are_replaced_not_followed(self, store: FrameStore, tmp_path: Path) -> None:
        folder = tmp_path / "maps"
        for name in ("isg.map", "isg.json"):
            _isg(store, folder)
            (folder / name).rename(tmp_path / name)
            (folder / name).symlink_to(tmp_path / name)
            before = (tmp_path / name).stat().st_mtime_ns
            assert _isg(store, folder) == 22
            assert (tmp_path / name).stat().st_mtime_ns == before
            assert not (folder / name).is_symlink()

    def test_a_new_map_never_matches_the_old_manifest(
        self, store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_arguments: object, **_options: object) -> int:
            raise KeyboardInterrupt

        _isg(store, tmp_path)
        monkeypatch.setattr(Path, "write_text", fail)  # the map is written, its manifest is not
        with pytest.raises(KeyboardInterrupt):
            _isg(store, tmp_path, gamma=0.5)
        monkeypatch.undo()
        assert _isg(store, tmp_path) == 22

    def test_temporary_files_of_killed_builds_are_removed_and_those_of_running_ones_kept(
        self, store: FrameStore, tmp_path: Path
    ) -> None:
        killed, running = tmp_path / ".ist.tmp-99999999-0a.map", tmp_path / f".ist.tmp-{os.getpid()}-0a.map"
        killed.touch()
        running.touch()
        build_ist(store, _VIEWS, 3, 0.1, tmp_path)
        assert (killed.exists(), running.exists()) == (False, True)


class TestFailure:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"gamma": 0.0}, "gamma 0.0: expected 1e-6 to 1"),
            ({"gamma": 5.1}, "gamma 5.1"),
            ({"gamma": float("nan")}, "gamma nan"),
            ({"views": ()}, r"views \(\): expected one or more, distinct, of 0 to 2"),
            ({"views": (0, 0)}, r"views \(0, 0\)"),
            ({"views": (3,)}, r"views \(3,\)"),
            ({"views": (-1,)}, r"views \(-1,\)"),
            ({"frames": []}, r"frames \[\]: expected one or more, distinct, of 0 to 7"),
            ({"frames": [8]}, r"frames \[8\]"),
            ({"frames": [-1, 2]}, r"frames \[-1, 2\]"),
        ],
    )
    def test_invalid_isg_parameters(
        self, store: FrameStore, tmp_path: Path, options: dict[str, object], message: str
    ) -> None:
        with pytest.raises(ConfigError, match=message):
            _isg(store, tmp_path / "maps", **options)
        assert not (tmp_path / "maps").exists()

    @pytest.mark.parametrize(
        ("window", "floor", "message"),
        [
            (0, 0.1, "window 0: expected 1 frame or more"),
            (25, -0.1, "floor -0.1: expected 0 to 1"),
            (25, 25.5, "floor 25.5"),
            (25, float("nan"), "floor nan"),
        ],
    )
    def test_invalid_ist_parameters(
        self, store: FrameStore, tmp_path: Path, window: int, floor: float, message: str
    ) -> None:
        with pytest.raises(ConfigError, match=message):
            build_ist(store, _VIEWS, window, floor, tmp_path / "maps")

    def test_an_interrupted_build_leaves_no_partial_map_and_can_be_repeated(
        self, store: FrameStore, tmp_path: Path
    ) -> None:
        def interrupt(done: int, _total: int) -> None:
            if done > 22:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            build_isg(store, _VIEWS, range(8), 0.02, tmp_path / "maps", interrupt)
        assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["median.json", "median.map"]
        assert _isg(store, tmp_path / "maps") == 22

    def test_too_little_disk_space_is_found_first(
        self, store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=1000))
        progress = _Progress()
        with pytest.raises(OutputError, match=r"ist\.map: needs 17 MB, 0 MB are free"):
            build_ist(store, _VIEWS, 3, 0.1, tmp_path / "maps", progress)
        assert progress.calls == []

    @pytest.mark.parametrize(
        "make", [lambda path: path.touch(), lambda path: (path / "ist.map").mkdir(parents=True)]
    )
    def test_another_kind_of_file_at_the_path_of_folder_or_map(
        self, store: FrameStore, tmp_path: Path, make: Callable[[Path], None]
    ) -> None:
        make(tmp_path / "maps")
        with pytest.raises(OutputError, match=r"ist\.map: cannot be written"):
            build_ist(store, _VIEWS, 3, 0.1, tmp_path / "maps")

    def test_a_full_disk_is_one_clear_error_and_leaves_no_file(self, tmp_path: Path) -> None:
        store = make_store(tmp_path / "store", np.zeros((2, 30, 64, 64, 3), np.uint8))
        with files_of_at_most(100_000), pytest.raises(OutputError) as caught:
            build_ist(store, (0, 1), 3, 0.1, tmp_path / "maps")
        assert str(caught.value) == f"{tmp_path / 'maps' / 'ist.map'}: cannot be written: File too large"
        assert list((tmp_path / "maps").iterdir()) == []


def test_a_manifest_records_the_inputs_of_the_map(store: FrameStore, tmp_path: Path) -> None:
    build_ist(store, _VIEWS, 25, 0.1, tmp_path)
    assert json.loads((tmp_path / "ist.json").read_text()) == {
        "version": 1,
        "store": "one",
        "views": [0, 2],
        "frames": list(range(8)),
        "window": 25,
        "floor": 0.1,
    }
