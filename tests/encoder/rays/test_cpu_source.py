"""Training rays: the right pixels and colours, of training views only, as often as their weights say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dynerf_decoder.cameras.camera import pixel_directions
from dynerf_encoder.captures.layouts.n3v import read_n3v
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.importance.build import ImportanceMap, build_isg
from dynerf_encoder.rays.cpu_source import RaySource, TrainingRays
from dynerf_format.errors import ConfigError
from dynerf_format.frame_range import FrameRange
from support.video import ROOT, write_capture, write_video

_VIEWS = (0, 2)
_HEIGHT, _WIDTH = 12, 16
_PIXELS = _HEIGHT * _WIDTH


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Three views, 8 frames of noise, so that hardly any two pixels are alike."""
    folder = write_capture(tmp_path_factory.mktemp("rays") / "scene", frames=8, width=_WIDTH, height=_HEIGHT)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, _HEIGHT, _WIDTH, 3), dtype=np.uint8)
    for name, of_view in zip(("cam00", "cam02", "cam05"), pictures, strict=True):
        write_video(folder / f"{name}.mp4", of_view)
    return FrameStore.build(read_n3v(folder), folder / "store", frames=FrameRange())


def _map(weights: np.ndarray, views: tuple[int, ...] = _VIEWS) -> ImportanceMap:
    """A map in memory of weights (frame, view, row, column), frames 0, 1, ..."""
    sums = weights.sum(axis=3, dtype=np.uint32)
    return ImportanceMap(weights.astype(np.uint8), sums, np.arange(len(weights)), views)


def _even_map(frames: int = 8, views: tuple[int, ...] = _VIEWS) -> ImportanceMap:
    return _map(np.ones((frames, len(views), _HEIGHT, _WIDTH), np.int64), views)


def _pixels(store: FrameStore, rays: TrainingRays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """View, row and column of each ray, found from origin and direction alone; each (frame, ray)."""
    origins = rays.origins.numpy().reshape(-1, 3).astype(np.float64)
    points = origins + rays.directions.numpy().reshape(-1, 3)
    centres = np.array([camera.origin for camera in store.cameras])
    views = np.linalg.norm(origins[:, None] - centres, axis=-1).argmin(axis=1)
    np.testing.assert_allclose(origins, centres[views], atol=1e-6)
    at = np.zeros((len(views), 2))
    for index, camera in enumerate(store.cameras):
        at[views == index] = camera.project(points[views == index])
    np.testing.assert_allclose(at % 1, 0.5, atol=1e-4)  # pixel centres
    columns, rows = np.floor(at).astype(int).T
    shape = rays.origins.shape[:2]
    return views.reshape(shape), rows.reshape(shape), columns.reshape(shape)


def _draw(store: FrameStore, seed: int = 0, **changes: object) -> TrainingRays:
    options = {"frames": range(8), "frames_per_step": 4, "rays": 200, "importance": None, "share": 0.5}
    source = RaySource(store, _VIEWS)
    return source.draw(np.random.default_rng(seed), **{**options, **changes})  # type: ignore[arg-type]


class TestRays:
    def test_shapes_types_and_ranges(self, store: FrameStore) -> None:
        rays = _draw(store, rays=203)
        assert rays.frames.shape == (4,)
        for tensor in (rays.origins, rays.directions, rays.colours):
            assert (tensor.shape, tensor.dtype) == ((4, 50, 3), torch.float32)
            assert tensor.is_contiguous()
            assert not tensor.requires_grad
        assert rays.colours.min() >= 0
        assert 0.9 < rays.colours.max() <= 1
        torch.testing.assert_close(rays.directions.norm(dim=-1), torch.ones(4, 50))

    def test_each_ray_has_the_colour_that_its_camera_saw_in_its_frame(self, store: FrameStore) -> None:
        rays = _draw(store, importance=_map(np.arange(16 * _PIXELS).reshape(8, 2, _HEIGHT, _WIDTH) % 256))
        views, rows, columns = _pixels(store, rays)
        for slot, frame in enumerate(rays.frames):
            for ray in range(50):
                seen = store.view(views[slot, ray])[frame, rows[slot, ray], columns[slot, ray]]
                np.testing.assert_allclose(rays.colours[slot, ray] * 255, seen, atol=1e-4)

    def test_directions_are_those_of_the_camera_module(self, store: FrameStore) -> None:
        rays = _draw(store, rays=4000)
        views, rows, columns = _pixels(store, rays)
        for index in _VIEWS:
            chosen = views == index
            slow = pixel_directions(store.cameras[index], columns[chosen] + 0.5, rows[chosen] + 0.5)
            # One ulp: both round the same double, whose last bit may differ.
            np.testing.assert_allclose(rays.directions.numpy()[chosen], slow, rtol=0, atol=6e-8)
            np.testing.assert_array_equal(
                rays.origins.numpy()[chosen][0], store.cameras[index].origin.astype(np.float32)
            )

    def test_the_same_generator_state_gives_the_same_rays(self, store: FrameStore) -> None:
        weights = _even_map()
        first, again, other = (_draw(store, seed, importance=weights) for seed in (5, 5, 6))
        np.testing.assert_array_equal(first.frames, again.frames)
        for name in ("origins", "directions", "colours"):
            assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(first.directions, other.directions)

    def test_rays_of_a_real_capture_show_its_pictures(self, tmp_path: Path) -> None:
        capture = read_n3v(ROOT / "samples" / "candle")
        store = FrameStore.build(capture, tmp_path / "store", frames=FrameRange(0, 6), downscale=2)
        views = tuple(range(1, 13))
        weights = build_isg(store, views, [0, 3], 1e-3, tmp_path / "maps")
        source = RaySource(store, views)
        rays = source.draw(np.random.default_rng(0), weights.frames, 2, 1024, weights, 0.4)
        assert sorted(rays.frames) == [0, 3]
        found, rows, columns = _pixels(store, rays)
        assert set(np.unique(found)) == set(views)
        for slot, frame in enumerate(rays.frames):
            seen = [
                store.view(v)[frame, r, c]
                for v, r, c in zip(found[slot], rows[slot], columns[slot], strict=True)
            ]
            np.testing.assert_allclose(rays.colours[slot] * 255, np.array(seen), atol=1e-4)


class TestViews:
    def test_held_out_views_are_never_touched(
        self, store: FrameStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gather = FrameStore.gather

        def guarded(
            store: FrameStore, views: np.ndarray, frames: np.ndarray, pixels: np.ndarray
        ) -> np.ndarray:
            assert set(views) == {0, 2}
            return gather(store, views, frames, pixels)

        monkeypatch.setattr(FrameStore, "gather", guarded)
        invalid = replace(store.cameras[1], camera_to_world=np.full((3, 4), np.nan))
        poisoned = replace(store, cameras=(store.cameras[0], invalid, store.cameras[2]))
        source = RaySource(poisoned, _VIEWS)
        weights = _even_map()
        for seed in range(20):
            rays = source.draw(np.random.default_rng(seed), range(8), 8, 800, weights, 0.5)
            assert torch.isfinite(rays.directions).all()
            assert torch.isfinite(rays.origins).all()

    def test_a_map_of_other_views_is_refused(self, store: FrameStore) -> None:
        weights = _even_map(views=(0, 1))
        with pytest.raises(ValueError, match=r"map of views \(0, 1\), rays of views \(0, 2\)"):
            _draw(store, importance=weights)

    def test_a_map_may_list_the_views_in_another_order(self, store: FrameStore) -> None:
        weights = np.zeros((8, 2, _HEIGHT, _WIDTH), np.int64)
        weights[:, 1, 3, 4] = 9
        rays = _draw(store, importance=_map(weights, (2, 0)), share=1.0)
        assert [set(found.reshape(-1)) for found in _pixels(store, rays)] == [{0}, {3}, {4}]

    @pytest.mark.parametrize("views", [(), (0, 0), (3,), (-1, 0)])
    def test_invalid_views(self, store: FrameStore, views: tuple[int, ...]) -> None:
        with pytest.raises(ConfigError, match="expected one or more, distinct, of 0 to 2"):
            RaySource(store, views)


class TestFrames:
    def test_they_are_distinct_candidates_and_all_are_picked_in_the_end(self, store: FrameStore) -> None:
        candidates = [1, 3, 4, 6, 7]
        seen: set[int] = set()
        for seed in range(40):
            frames = _draw(store, seed, frames=candidates, frames_per_step=3, rays=3).frames
            assert len(set(frames)) == 3
            seen.update(frames.tolist())
        assert seen == set(candidates)

    def test_with_fewer_candidates_all_are_picked_and_some_repeat(self, store: FrameStore) -> None:
        rays = _draw(store, frames=np.array([2, 5]), frames_per_step=5)
        assert set(rays.frames) == {2, 5}
        views, rows, columns = _pixels(store, rays)
        pixels = (rows * _WIDTH + columns).reshape(-1)
        seen = store.gather(views.reshape(-1), rays.frames.repeat(40), pixels)
        np.testing.assert_allclose(rays.colours.reshape(-1, 3) * 255, seen, atol=1e-4)
        assert not torch.equal(rays.directions[0], rays.directions[1])

    def test_exactly_as_many_candidates_as_frames(self, store: FrameStore) -> None:
        assert sorted(_draw(store, frames_per_step=8).frames) == list(range(8))

    def test_a_frame_without_weights_or_outside_the_store_is_refused(self, store: FrameStore) -> None:
        with pytest.raises(IndexError, match="frame 3 has no weights"):
            _draw(store, frames=[3], importance=_even_map(1))
        with pytest.raises(IndexError, match="expected 0 to 7"):
            _draw(store, frames=[8])


class TestShare:
    @pytest.mark.parametrize(("share", "weighted"), [(0.0, 0), (0.4, 20), (0.5, 25), (1.0, 50)])
    def test_the_share_of_each_frames_rays_is_drawn_by_weight(
        self, store: FrameStore, share: float, weighted: int
    ) -> None:
        weights = np.zeros((8, 2, _HEIGHT, _WIDTH), np.int64)
        weights[:, 1, 3, 4] = 9
        views, rows, columns = _pixels(store, _draw(store, importance=_map(weights), share=share))
        at_weight = (views == 2) & (rows == 3) & (columns == 4)
        assert at_weight[:, :weighted].all()
        assert at_weight[:, weighted:].sum() < 10

    def test_each_frame_follows_its_own_weights(self, store: FrameStore) -> None:
        weights = np.zeros((8, 2, _HEIGHT, _WIDTH), np.int64)
        weights[np.arange(8), 0, np.arange(8), np.arange(8)] = 1
        rays = _draw(store, importance=_map(weights), share=1.0)
        _, rows, columns = _pixels(store, rays)
        np.testing.assert_array_equal(rows, rays.frames[:, None] * np.ones(50, int))
        np.testing.assert_array_equal(columns, rows)

    def test_without_a_map_all_pixels_of_all_training_views_are_equally_likely(
        self, store: FrameStore
    ) -> None:
        views, rows, columns = _pixels(store, _draw(store, rays=4 * 24_000, share=1.0))
        found = np.bincount(
            (views // 2 * _PIXELS + rows * _WIDTH + columns).reshape(-1), minlength=2 * _PIXELS
        )
        chi_square = ((found - 250) ** 2 / 250).sum()
        assert abs(chi_square - 383) < 4 * np.sqrt(2 * 383)  # mean and deviation of the statistic

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"share": 1.1}, "share 1.1"),
            ({"share": float("nan")}, "share nan"),
            ({"rays": 3}, "3 rays of 4 frames: expected at least one of each frame"),
            ({"frames_per_step": 0}, "200 rays of 0 frames"),
            ({"frames": []}, "no frames"),
        ],
    )
    def test_invalid_numbers(self, store: FrameStore, changes: dict[str, object], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            _draw(store, **changes)  # type: ignore[arg-type]
