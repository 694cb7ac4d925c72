"""Cells that the encoder declares empty are so at every frame; skipping them changes next to nothing."""

import numpy as np
import pytest
import torch

from dynerf_decoder.camera import Camera
from dynerf_decoder.fields.field import FoldedDensity, FoldedField, Model
from dynerf_decoder.fields.mlp import MlpModel, MlpSettings
from dynerf_decoder.fields.planes import PlanesModel, PlanesSettings
from dynerf_decoder.occupancy import occupied_at
from dynerf_decoder.picture import render_picture
from dynerf_decoder.sampling import Sampling
from dynerf_decoder.space import Space
from dynerf_encoder.occupancy import find_occupancy
from dynerf_format import COARSE_EMPTY, FINE_EMPTY, CellGrid

_PLANES = PlanesSettings(latent=4, scales=(8, 16), channels=4, basis=(2, 2), hidden=16, coarse_scale=8)
_MLP = MlpSettings(latent=4, depth=2, width=16, skip=1, position_frequencies=2, direction_frequencies=1)


def _model(kind: str) -> Model:
    """Walls and air, which move with the latent."""
    torch.manual_seed(3)
    model: Model = PlanesModel(_PLANES) if kind == "planes" else MlpModel(_MLP)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(torch.randn_like(parameter) * (0.5 if parameter.dim() > 1 else 0.2))
            if name.endswith(("out.weight", "density.weight")):
                parameter.mul_(3)
            if name.endswith(("out.bias", "density.bias")):
                parameter.sub_(4 if kind == "planes" else 8)
    return model.requires_grad_(False)


def _density(field: FoldedField | FoldedDensity, points: torch.Tensor) -> torch.Tensor:
    if isinstance(field, FoldedDensity):
        return field.density(points)
    return field.query(points, torch.tensor([0.0, 0, -1]).expand(1, points.shape[1], 3))[0]


@pytest.mark.parametrize("kind", ["planes", "mlp"])
def test_nothing_is_in_cells_that_are_said_to_be_empty(kind: str) -> None:
    model, latents = _model(kind), torch.randn(3, 4)
    found = find_occupancy(model, latents, 2)
    assert found is not None
    assert found.layers == 2
    points = torch.rand(1, 100_000, 1, 3) * 2 - 1
    for latent in latents:
        folded = model.fold(latent[None])
        for grid, field, most in (
            (found.coarse, folded.coarse, COARSE_EMPTY), (found.fine, folded.fine, FINE_EMPTY),
        ):  # fmt: skip
            assert isinstance(grid, CellGrid)
            empty = ~occupied_at(grid, points)
            assert empty.any(), "a grid that says something"
            assert not empty.all()
            assert float(_density(field, points)[empty].max()) < most


def test_pictures_stay_within_45_db_of_the_plain_ones() -> None:
    model, latents = _model("planes"), torch.randn(2, 4)
    model.occupancy = find_occupancy(model, latents, 1)
    camera = Camera("a", 40, 30, 25.0, 25.0, 20.0, 15.0, np.hstack([np.eye(3), [[0.0], [0.0], [3.0]]]))
    space, sampling = Space.box(-np.ones(3), np.ones(3), near=0.0), Sampling(16, 12, union=False)
    for latent in latents:
        folded = model.fold(latent[None])
        fast = render_picture(folded, camera, space, sampling)
        plain = render_picture(folded, camera, space, sampling, plain=True)
        assert float((fast.rgb - plain.rgb).square().mean()) < 10**-4.5


def test_fog_has_no_empty_cells() -> None:
    assert find_occupancy(PlanesModel(_PLANES), torch.zeros(1, 4), 1) is None
