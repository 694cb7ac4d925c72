"""Fast rendering agrees with the reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.fields.field import FoldedDensity, FoldedModel
from dynerf_decoder.fields.mlp import MlpModel, MlpSettings
from dynerf_decoder.fields.planes import PlanesModel, PlanesSettings
from dynerf_decoder.render import fast as fast_module
from dynerf_decoder.render.fast import render_rays_fast
from dynerf_decoder.render.frame import StoppedError, render_frame
from dynerf_decoder.render.reference import render_rays
from dynerf_decoder.render.volume_rendering import accumulate, ray_weights
from dynerf_decoder.scene.contraction import RayIntervals, Space
from dynerf_decoder.scene.occupancy_grid import occupied_at
from dynerf_decoder.scene.ray_sampling import Sampling, stratified_edges
from dynerf_format import CellGrid, Occupancy

_SPACE = Space.box(np.array([-1.0, -1, -1]), np.array([1.0, 1, 1]), near=0.0)
_POSE = np.concatenate([np.eye(3), [[0.0], [0.0], [3.0]]], axis=1)
_CAMERA = Camera("a", 40, 30, 25.0, 25.0, 20.0, 15.0, _POSE)  # its corners miss the box
_PLANES = PlanesSettings(latent=4, scales=(8, 16), basis=(2, 2), hidden=16, coarse_scale=8)
_MLP = MlpSettings(latent=4, depth=3, width=16, skip=1, position_frequencies=3, direction_frequencies=1)


@pytest.fixture(params=["planes", "mlp"])
def scene(request: pytest.FixtureRequest) -> tuple[FoldedModel, Sampling]:
    """A folded model with dense and empty regions, and sampling as in its preset."""
    torch.manual_seed(2)
    planes = request.param == "planes"
    model = PlanesModel(_PLANES) if planes else MlpModel(_MLP)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(torch.randn_like(parameter) * (0.6 if parameter.dim() > 1 else 0.3))
            if name.endswith(("out.weight", "density.weight")):
                parameter.mul_(3)
        return model.fold(torch.randn(1, 4)), Sampling(16, 12, union=not planes)


@pytest.fixture
def no_shortcuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable half precision and early ray termination."""
    monkeypatch.setattr(fast_module, "_MIN_TRANSMITTANCE", -1.0)
    monkeypatch.setattr(fast_module, "has_bfloat16", lambda _kind: False)
    return


def _intervals() -> tuple[RayIntervals, torch.Tensor]:
    from dynerf_decoder.cameras.camera import camera_rays

    origins, directions = camera_rays(_CAMERA)
    return _SPACE.clip(origins[None], directions[None]), directions[None]


def _count_queries(model: FoldedModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list to which every query of the fine field appends its number of points."""
    queried: list[int] = []
    query = type(model.fine).query

    def counting(self: object, points: torch.Tensor, directions: torch.Tensor) -> object:
        queried.append(points.shape[1] * points.shape[2])
        return query(self, points, directions)  # type: ignore[arg-type]

    monkeypatch.setattr(type(model.fine), "query", counting)
    return queried


@pytest.mark.usefixtures("no_shortcuts")
def test_without_shortcuts_it_is_the_reference(scene: tuple[FoldedModel, Sampling]) -> None:
    model, sampling = scene
    intervals, directions = _intervals()
    plain = render_rays(model, intervals, directions, sampling)
    fast = render_rays_fast(model, intervals, directions, sampling)
    hit = intervals.hit  # the reference gives weights to rays that miss too
    assert 0 < int(hit.sum()) < hit.numel()
    # Sums in another order, in float32.
    torch.testing.assert_close(fast.rgb, plain.rgb, rtol=0, atol=2e-5)
    torch.testing.assert_close(fast.weights[hit], plain.weights[hit], rtol=0, atol=2e-5)
    torch.testing.assert_close(fast.edges[hit], plain.edges[hit], rtol=0, atol=2e-5)


def test_with_shortcuts_it_stays_within_45_db(scene: tuple[FoldedModel, Sampling]) -> None:
    model, sampling = scene
    plain = render_frame(model, _CAMERA, _SPACE, sampling, plain=True)
    fast = render_frame(model, _CAMERA, _SPACE, sampling)
    assert float(plain.rgb.std()) > 0.02, "the picture is not uniform"
    assert float((plain.rgb - fast.rgb).square().mean()) < 10**-4.5


def test_opaque_rays_are_not_queried_further(
    scene: tuple[FoldedModel, Sampling], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sampling = scene
    intervals, directions = _intervals()
    queried = _count_queries(model, monkeypatch)
    monkeypatch.setattr(fast_module, "_MIN_TRANSMITTANCE", -1.0)
    render_rays_fast(model, intervals, directions, sampling)
    total = sum(queried)
    queried.clear()
    monkeypatch.setattr(fast_module, "_MIN_TRANSMITTANCE", 0.5)
    weights = render_rays_fast(model, intervals, directions, sampling).weights
    assert sum(queried) < 0.9 * total
    torch.testing.assert_close(weights.sum(-1), intervals.hit.float())


def _grids() -> Occupancy:
    """Random grids; rendering follows them whether or not they match the field."""
    generator = np.random.default_rng(4)
    return Occupancy(1, *(CellGrid.of_cells(generator.random((size,) * 3) < 0.5) for size in (5, 6)))


class _MaskedField:
    """A field with zero density in a grid's empty cells: the slow reference for skipping them."""

    def __init__(self, field: FoldedDensity, grid: CellGrid | None) -> None:
        self._field, self._grid = field, grid

    def density(self, points: torch.Tensor) -> torch.Tensor:
        assert self._grid is not None
        return self._field.density(points) * occupied_at(self._grid, points)


@pytest.mark.usefixtures("no_shortcuts")
def test_cells_marked_empty_have_zero_density(scene: tuple[FoldedModel, Sampling]) -> None:
    model, sampling = scene
    intervals, directions = _intervals()
    grids = _grids()
    fast = render_rays_fast(replace(model, occupancy=grids), intervals, directions, sampling)  # type: ignore[type-var]
    midpoints = (fast.edges[..., 1:] + fast.edges[..., :-1]) / 2
    points, lengths = intervals.at(midpoints), fast.edges.diff(dim=-1) * intervals.length().unsqueeze(-1)
    weights = ray_weights(_MaskedField(model.fine, grids.fine).density(points), lengths)
    features = model.fine.query(points, directions)[1]
    coarse = stratified_edges(tuple(directions.shape[:-1]), sampling.coarse, None, directions.device)
    coarse_points = intervals.at((coarse[..., 1:] + coarse[..., :-1]) / 2)
    coarse_lengths = coarse.diff(dim=-1) * intervals.length().unsqueeze(-1)
    coarse_weights = ray_weights(
        _MaskedField(model.coarse, grids.coarse).density(coarse_points), coarse_lengths
    )
    hit = intervals.hit
    torch.testing.assert_close(fast.coarse_weights[hit], coarse_weights[hit], rtol=0, atol=2e-5)
    torch.testing.assert_close(fast.weights[hit], weights[hit], rtol=0, atol=2e-5)
    rgb = model.fine.shade(accumulate(weights, features), directions)
    torch.testing.assert_close(fast.rgb[hit], rgb[hit], rtol=0, atol=2e-5)
    whole = render_rays_fast(model, intervals, directions, sampling)
    assert float((fast.rgb - whole.rgb).detach().abs().max()) > 0.01, "the grids hide part of the scene"


def test_samples_in_empty_cells_are_not_queried(
    scene: tuple[FoldedModel, Sampling], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sampling = scene
    intervals, directions = _intervals()
    queried = _count_queries(model, monkeypatch)
    render_rays_fast(model, intervals, directions, sampling)
    total = sum(queried)
    queried.clear()
    empty = Occupancy(1, None, CellGrid.of_cells(np.zeros((4, 4, 4), bool)))
    render_rays_fast(replace(model, occupancy=empty), intervals, directions, sampling)  # type: ignore[type-var]
    assert sum(queried) == int(intervals.hit.sum()), "the last sample of each ray, which is opaque"
    assert sum(queried) < 0.5 * total


def test_threads_change_no_bit(scene: tuple[FoldedModel, Sampling], monkeypatch: pytest.MonkeyPatch) -> None:
    model, sampling = scene
    monkeypatch.setattr("dynerf_decoder.render.frame._TILE_SAMPLES", {"cpu": 2**12})
    pictures = []
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        pictures.append(render_frame(model, _CAMERA, _SPACE, sampling))
    assert torch.equal(pictures[0].rgb, pictures[1].rgb)
    assert torch.equal(pictures[0].depth, pictures[1].depth)


def test_a_stop_reaches_all_threads(
    scene: tuple[FoldedModel, Sampling], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sampling = scene
    monkeypatch.setattr("dynerf_decoder.render.frame._TILE_SAMPLES", {"cpu": 2**10})
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    answers = iter([False] * 4 + [True] * 1000)
    with pytest.raises(StoppedError):
        render_frame(model, _CAMERA, _SPACE, sampling, stop=lambda: next(answers))


def test_a_camera_that_misses_the_scene_renders_black(scene: tuple[FoldedModel, Sampling]) -> None:
    model, sampling = scene
    backwards = _POSE @ np.diag([-1.0, 1.0, -1.0, 1.0])
    away = Camera("away", 8, 6, 45.0, 45.0, 4.0, 3.0, backwards)
    picture = render_frame(model, away, _SPACE, sampling)
    assert float(picture.rgb.abs().max()) == 0
    assert float(picture.depth.abs().max()) == 0
