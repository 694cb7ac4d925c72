"""Cells that the encoder declares empty are empty at every frame; skipping them changes almost nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.fields.field import Model
from dynerf_decoder.fields.mlp import MlpModel, MlpSettings
from dynerf_decoder.fields.planes import PlanesModel, PlanesSettings
from dynerf_decoder.render.frame import render_frame
from dynerf_decoder.scene.contraction import Space
from dynerf_decoder.scene.occupancy_grid import occupied_at
from dynerf_decoder.scene.ray_sampling import Sampling
from dynerf_encoder.export.occupancy_grid import find_occupancy
from dynerf_format import COARSE_EMPTY, FINE_EMPTY, CellGrid

_CELLS = 24
_PLANES = PlanesSettings(latent=4, scales=(8, 16), basis=(2, 2), hidden=16, coarse_scale=8)
_MLP = MlpSettings(latent=4, depth=2, width=16, skip=1, position_frequencies=2, direction_frequencies=1)


def _model(kind: str, steep: bool = False) -> Model:
    """Walls and empty space that change with the latent; ``steep`` ones change twice as fast."""
    torch.manual_seed(3)
    model: Model = PlanesModel(_PLANES) if kind == "planes" else MlpModel(_MLP)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(torch.randn_like(parameter) * (0.5 if parameter.dim() > 1 else 0.2))
            if name.endswith(("out.weight", "density.weight")):
                parameter.mul_(6 if steep else 3)
            if name.endswith(("out.bias", "density.bias")):
                parameter.sub_(4 if kind == "planes" else 8)
    return model.requires_grad_(False)


@pytest.mark.parametrize("steep", [False, True])
@pytest.mark.parametrize("kind", ["planes", "mlp"])
def test_cells_declared_empty_are_empty(kind: str, steep: bool) -> None:
    model, latents = _model(kind, steep), torch.randn(3, 4)
    found = find_occupancy(model, latents, 2, _CELLS)
    assert found is not None
    assert found.layers == 2
    points = torch.rand(1, 100_000, 1, 3) * 2 - 1
    for latent in latents:
        folded = model.fold(latent[None])
        for grid, field, most in (
            (found.coarse, folded.coarse, COARSE_EMPTY), (found.fine, folded.fine, FINE_EMPTY),
        ):  # fmt: skip
            if grid is None and steep:
                continue
            assert isinstance(grid, CellGrid)
            empty = ~occupied_at(grid, points)
            assert empty.any(), "a grid with empty cells"
            assert not empty.all()
            assert float(field.density(points)[empty].max()) < most


@pytest.mark.parametrize("networks", [1, 2])
def test_order_threads_and_skipped_cells_do_not_change_the_result(
    networks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell occupied at one frame is skipped at the others: any order, and separate frames, agree."""
    torch.manual_seed(4)
    model = MlpModel(replace(_MLP, networks=networks)).requires_grad_(False)
    for network in (model.fine, model.coarse):
        network.density.weight.mul_(8)
        network.density.bias.sub_(4)
    latents = torch.randn(4, 4)
    progress: list[tuple[int, int]] = []
    found = find_occupancy(model, latents, 1, _CELLS, lambda done, total: progress.append((done, total)))
    assert found is not None
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    reversed_order = find_occupancy(model, latents.flip(0), 1, _CELLS)
    alone = [find_occupancy(model, latent[None], 1, _CELLS) for latent in latents]
    assert reversed_order is not None
    for name in ("coarse", "fine"):
        cells = getattr(found, name).cells()
        assert 0 < cells.mean() < 1
        assert np.array_equal(cells, getattr(reversed_order, name).cells())
        assert np.array_equal(cells, np.logical_or.reduce([getattr(one, name).cells() for one in alone]))


@pytest.mark.parametrize("kind", ["planes", "mlp"])
def test_pictures_stay_within_45_db_of_the_plain_ones(kind: str) -> None:
    model, latents = _model(kind), torch.randn(2, 4)
    model.occupancy = find_occupancy(model, latents, 1, _CELLS)
    camera = Camera("a", 40, 30, 25.0, 25.0, 20.0, 15.0, np.hstack([np.eye(3), [[0.0], [0.0], [3.0]]]))
    space, sampling = Space.box(-np.ones(3), np.ones(3), near=0.0), Sampling(16, 12, union=kind == "mlp")
    for latent in latents:
        folded = model.fold(latent[None])
        fast = render_frame(folded, camera, space, sampling)
        plain = render_frame(folded, camera, space, sampling, plain=True)
        assert float((fast.rgb - plain.rgb).square().mean()) < 10**-4.5


def test_fog_has_no_empty_cells() -> None:
    model = PlanesModel(_PLANES)
    with torch.no_grad():
        for stack in (model.coarse, model.fine):
            stack.out.bias.add_(5)  # dense everywhere
    assert find_occupancy(model, torch.zeros(1, 4), 1, _CELLS) is None
