"""Kernels agree with torch, edge cases included."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dynerf_decoder.backends.cpu.ray_marcher import coarse_scratch
from dynerf_decoder.backends.folded_planes import has_kernels
from dynerf_decoder.cameras.camera import Camera, camera_rays
from dynerf_decoder.fields.plane_query import query_stack
from dynerf_decoder.fields.planes import FoldedPlanesModel, PlanesModel, PlanesSettings, PlaneStack
from dynerf_decoder.kernels import lanes, look_up, occupancy
from dynerf_decoder.kernels.compiling import kernel
from dynerf_decoder.kernels.histogram import draw_edges, to_shares
from dynerf_decoder.kernels.records import CellBits
from dynerf_decoder.render import fast
from dynerf_decoder.render.reference import render_rays
from dynerf_decoder.render.volume_rendering import median_position, ray_weights
from dynerf_decoder.scene.contraction import RayIntervals, Space
from dynerf_decoder.scene.occupancy_grid import occupied_at
from dynerf_decoder.scene.ray_sampling import Sampling, importance_edges
from dynerf_format import CellGrid, Occupancy


def _stack(
    channels: int = 8, hidden: int = 24, outputs: int = 10, scales: tuple[int, ...] = (5, 9)
) -> PlaneStack:
    torch.manual_seed(1)
    stack = PlaneStack(6, scales, channels, tuple(3 - index for index in range(len(scales))), hidden, outputs)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.normal_(0, 0.4)
    return stack


def _points(frames: int, count: int) -> Tensor:
    """Points of which some are outside the cube and some on its corners."""
    points = torch.rand(frames, count, 3, generator=torch.Generator().manual_seed(2)) * 2.4 - 1.2
    points[:, 0], points[:, 1] = 1, -1
    return points


@torch.no_grad()
def _raw(stack: PlaneStack, points: Tensor) -> Tensor:
    folded = stack.fold(torch.linspace(-1, 1, 6 * len(points)).view(len(points), 6))
    return query_stack(folded, points)


class TestStack:
    @pytest.mark.parametrize(
        ("channels", "hidden", "outputs", "scales"),
        [(8, 64, 10, (5, 9)), (4, 16, 1, (6,)), (3, 5, 4, (2, 3)), (1, 17, 5, (1, 4))],
    )
    @pytest.mark.parametrize("count", [3, 8, 8195])
    def test_values_agree_with_torch(
        self, channels: int, hidden: int, outputs: int, scales: tuple[int, ...], count: int
    ) -> None:
        stack, points = _stack(channels, hidden, outputs, scales), _points(2, count)
        folded = stack.fold(torch.linspace(-1, 1, 12).view(2, 6))
        assert folded.has_kernels()
        expected = query_stack(folded, points)
        assert expected.requires_grad, "by torch"
        torch.testing.assert_close(_raw(stack, points), expected.detach(), rtol=1e-4, atol=1e-5)

    def test_the_number_of_threads_changes_no_bit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = []
        for threads in (1, 3):
            monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
            found.append(_raw(_stack(), _points(2, 20_000)))
        assert torch.equal(*found)

    def test_nan_points_read_nothing_outside(self) -> None:
        stack, points = _stack(), _points(1, 8)
        points[0, :3] = torch.tensor([torch.nan, torch.inf, -torch.inf]).unsqueeze(-1)
        assert torch.isfinite(_raw(stack, points)).all()

    def test_other_precisions_and_many_channels_are_left_to_torch(self) -> None:
        assert not has_kernels(torch.zeros(3, 8, 4, 4, dtype=torch.float64))
        assert not has_kernels(torch.zeros(3, 4, 4, 33).movedim(-1, 1))
        assert not has_kernels(torch.zeros(3, 8, 4, 4)), "channels are not innermost"
        assert has_kernels(torch.zeros(3, 4, 4, 8).movedim(-1, 1))
        stack = _stack(channels=40)
        assert not stack.fold(torch.zeros(1, 6)).has_kernels()
        assert query_stack(stack.fold(torch.zeros(1, 6)), _points(1, 5)).shape == (1, 5, 10)


def _rays() -> tuple[RayIntervals, Tensor]:
    """Rays of a picture whose corners miss the box."""
    pose = np.concatenate([np.eye(3), [[0.0], [0.0], [3.0]]], axis=1)
    origins, directions = camera_rays(Camera("a", 40, 30, 25.0, 25.0, 20.0, 15.0, pose))
    intervals = Space.box(-np.ones(3), np.ones(3), near=0.0).clip(origins[None], directions[None])
    assert 0 < int(intervals.hit.sum()) < intervals.hit.numel()
    return intervals, directions[None]


@torch.no_grad()
def _folded(scales: tuple[int, ...] = (8, 16), coarse_scale: int = 8) -> FoldedPlanesModel:
    torch.manual_seed(2)
    settings = PlanesSettings(latent=4, scales=scales, channels=4, basis=(2, 2), coarse_scale=coarse_scale)
    model = PlanesModel(settings)
    for parameter in model.parameters():
        parameter.normal_(0, 0.5)
    folded = model.fold(torch.randn(1, 4))
    assert isinstance(folded, FoldedPlanesModel)
    return folded


class TestRays:
    @pytest.mark.parametrize("scales", [((8, 16), 8), ((1, 16), 2), ((2, 9), 1)])
    @pytest.mark.parametrize("samples", [(16, 12), (5, 3), (24, 13), (9, 16), (8, 1)])
    @torch.no_grad()
    def test_without_early_termination_they_equal_the_reference(
        self, samples: tuple[int, int], scales: tuple[tuple[int, ...], int]
    ) -> None:
        (intervals, directions), folded = _rays(), _folded(*scales)
        sampling = Sampling(*samples, union=False)
        expected = render_rays(folded.plain(), intervals, directions, sampling)
        result = folded.march(intervals, directions, sampling, -1.0)
        assert result is not None
        torch.testing.assert_close(result[0], expected.rgb, rtol=0, atol=1e-3)
        middles = median_position(expected.weights, expected.edges)[intervals.hit]
        torch.testing.assert_close(result[1][intervals.hit], middles, rtol=0, atol=1e-3)
        assert not result[0][~intervals.hit].any()

    @torch.no_grad()
    def test_empty_cells_are_skipped_as_by_torch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fast, "_MIN_TRANSMITTANCE", -1.0)
        monkeypatch.setattr(fast, "has_bfloat16", lambda _kind: False)
        (intervals, directions), folded = _rays(), _folded()
        sampling = Sampling(20, 12, union=False)
        generator = np.random.default_rng(4)
        grids = Occupancy(1, *(CellGrid.of_cells(generator.random((n,) * 3) < 0.5) for n in (5, 6)))
        model = replace(folded, occupancy=grids)
        expected = fast.render_rays_fast(model, intervals, directions, sampling)
        result, whole = (each.march(intervals, directions, sampling, -1.0) for each in (model, folded))
        assert result is not None
        assert whole is not None
        different = ((result[0] - expected.rgb).abs() > 1e-3).any(-1)
        assert float(different.float().mean()) < 0.01, "rounding decides about samples on a cell's border"
        assert float((result[0] - whole[0]).abs().max()) > 0.01, "the grids hide part of the scene"

    @pytest.mark.parametrize("count", range(1, 20, 3))
    @torch.no_grad()
    def test_rays_do_not_depend_on_those_that_are_marched_beside_them(self, count: int) -> None:
        (intervals, directions), folded = _rays(), _folded()
        rays = torch.arange(500, 500 + count)
        sampling = Sampling(16, 12, union=False)
        part = folded.march(intervals.pick(rays), directions[:, rays], sampling, 0.05)
        whole = folded.march(intervals, directions, sampling, 0.05)
        assert part is not None
        assert whole is not None
        assert torch.equal(part[0], whole[0][:, rays])
        assert torch.equal(part[1], whole[1][:, rays])

    def test_a_union_of_samples_is_left_to_torch(self) -> None:
        folded = PlanesModel(PlanesSettings(latent=4, scales=(8,), basis=(2,))).fold(torch.zeros(1, 4))
        intervals = Space.box(-np.ones(3), np.ones(3), near=0.0).clip(
            torch.zeros(1, 1, 3), torch.ones(1, 1, 3)
        )
        assert isinstance(folded, FoldedPlanesModel)
        assert folded.march(intervals, torch.ones(1, 1, 3), Sampling(8, 8, union=True), 0.03) is None


@kernel
def _look_up(
    lane_type: Any, planes: Any, size: Any, points: Any, texels: Any, fractions: Any, out: Any
) -> None:
    x: Any = lanes.load(lanes.zeros(_EIGHT), points, 0)
    y: Any = lanes.load(lanes.zeros(_EIGHT), points, 8)
    z: Any = lanes.load(lanes.zeros(_EIGHT), points, 16)
    look_up.locate(_EIGHT, x, y, z, size, texels, fractions)
    for i in range(8):
        found: Any = look_up.product_at(lane_type, planes, size, texels, fractions, i, 8)
        lanes.store(out, i * len(lane_type), found)


@pytest.mark.parametrize("channels", [8, 4, 3])
def test_located_points_have_the_features_of_single_ones(channels: int) -> None:
    generator = np.random.default_rng(3)
    points = generator.uniform(-1.3, 1.3, (8, 3)).astype(np.float32)
    points[0], points[1], points[2] = 1, -1, np.nan
    for size in (2, 7):
        planes = generator.normal(size=3 * size * size * channels).astype(np.float32)
        expected, found = np.zeros((2, 8 * channels), np.float32)
        zeros = (np.float32(0),) * channels
        look_up.products(zeros, planes, size, points, expected, 0, channels)
        texels, fractions = np.zeros(24, np.int32), np.zeros(24, np.float32)
        _look_up(zeros, planes, size, points.T.reshape(-1).copy(), texels, fractions, found)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert (texels < size * size).all(), "reads nothing outside"


def test_occupied_positions_are_those_of_the_grid() -> None:
    generator = np.random.default_rng(5)
    for count, size in [(24, 5), (7, 6), (8, 1), (17, 32)]:
        grid = CellGrid.of_cells(generator.random((size,) * 3) < 0.5)
        start, step = generator.uniform(-1.2, 1.2, (2, 3)).astype(np.float32)
        block = -(-count // occupancy.LANES) * occupancy.LANES
        positions = ((np.arange(block) + 0.5) / count).astype(np.float32)
        cells, chosen = np.zeros(occupancy.LANES, np.int32), np.zeros(block + 3, np.int32)
        line = tuple(map(np.float32, (*start, *step)))
        bits = CellBits(grid.bits.copy(), size)
        found = occupancy.occupied(bits, line, positions, 0, count, cells, chosen, 3)
        expected = occupied_at(grid, torch.from_numpy(start + positions[:count, None] * step))
        np.testing.assert_array_equal(chosen[3 : 3 + found], expected.nonzero().squeeze(-1))


@pytest.mark.parametrize(("count", "drawn"), [(24, 13), (5, 4), (16, 17), (1, 2), (9, 8)])
def test_edges_are_those_of_the_histogram(count: int, drawn: int) -> None:
    generator = torch.Generator().manual_seed(6)
    for thickness in (0.0, 0.1, 5.0):
        depths = torch.rand(count, generator=generator) ** 4 * thickness
        weights = ray_weights(depths, torch.ones(count))
        expected = importance_edges(torch.linspace(0, 1, count + 1), weights, drawn, None)
        scratch = coarse_scratch(count, drawn - 1)
        scratch.depths[:count] = depths
        to_shares(scratch.depths, scratch.even, scratch.gain, scratch.shares, count)
        edges = np.zeros(len(scratch.targets), np.float32)
        draw_edges(scratch.shares, count, scratch.targets, edges, 0)
        np.testing.assert_allclose(edges[:drawn], expected, atol=2e-5)


@kernel
def _functions(values: Any, exponentials: Any, logistics: Any) -> None:
    for at in range(0, len(values), 8):
        a: Any = lanes.load(lanes.zeros(_EIGHT), values, at)
        lanes.store(exponentials, at, lanes.exponential(a))
        lanes.store(logistics, at, lanes.logistic(a))


_EIGHT = (np.float32(0),) * 8


def test_exponential_and_logistic_functions() -> None:
    values = np.linspace(-86, 87, 80_000, dtype=np.float32)
    exponentials, logistics = np.empty_like(values), np.empty_like(values)
    _functions(values, exponentials, logistics)
    exact = values.astype(np.float64)
    np.testing.assert_allclose(exponentials, np.exp(exact), rtol=3e-7)
    np.testing.assert_allclose(logistics, 1 / (1 + np.exp(-exact)), rtol=5e-7)
    extremes = np.array([-1e30, 1e30, np.nan, np.inf, -np.inf, 0, 100, -100], np.float32)
    _functions(extremes, exponentials[:8], logistics[:8])
    assert np.isfinite(exponentials[:8]).all()
    assert ((logistics[:8] >= 0) & (logistics[:8] <= 1)).all()


class TestClip:
    @pytest.mark.parametrize("kind", ["box", "perspective"])
    def test_intervals_equal_the_reference(self, kind: str) -> None:
        pose = np.concatenate([np.eye(3), [[0.0], [0.0], [3.0]]], axis=1)
        space = (
            Space.box(-np.ones(3), np.ones(3), near=0.1)
            if kind == "box"
            else Space.perspective(pose, (0.8, 0.6), 1.0, 50.0)
        )
        generator = torch.Generator().manual_seed(5)
        origins = torch.randn(7, 400, 3, generator=generator) * 2
        directions = torch.nn.functional.normalize(torch.randn(7, 400, 3, generator=generator), dim=-1)
        directions[0, :3] = torch.eye(3)  # along the axes: parallel to faces
        origins[0, :2], origins[0, 2] = 0, 5
        found, expected = space.clip(origins, directions), space.clip_plain(origins, directions)
        assert 0 < int(expected.hit.sum()) < expected.hit.numel()
        for name in found.__dataclass_fields__:
            torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=0, atol=1e-6)

    def test_a_shared_origin_is_that_of_all_rays(self) -> None:
        space = Space.box(-np.ones(3), np.ones(3), near=0.1)
        origin = torch.tensor([0.2, -0.1, 3.0], dtype=torch.float64)
        directions = torch.nn.functional.normalize(
            torch.tensor([[0.0, 0, -1], [0.1, 0.2, -1], [1, 0, 0]]), dim=-1
        )
        shared = space.clip(origin.expand(1, 3, 3), directions[None])
        copied = space.clip(origin.repeat(1, 3, 1), directions[None])
        assert shared.hit.tolist() == [[True, True, False]]
        for name in shared.__dataclass_fields__:
            assert torch.equal(getattr(shared, name), getattr(copied, name)), name
        assert space.clip(origin.expand(1, 0, 3), directions[None, :0]).hit.shape == (1, 0)

    def test_nan_rays_miss(self) -> None:
        space = Space.box(-np.ones(3), np.ones(3), near=0.0)
        missing = torch.full((1, 1, 3), torch.nan)
        valid = torch.tensor([[[0.0, 0.0, 1.0]]])
        for origins, directions in ((missing, valid), (valid, missing)):
            intervals = space.clip(origins, directions)
            assert not intervals.hit.any()
            assert torch.isfinite(intervals.start).all()
