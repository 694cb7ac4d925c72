"""Latents in their principal axes: the same field, mostly of zeros."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_decoder.fields.field import FoldedField, Model
from dynerf_decoder.fields.mlp import MlpModel
from dynerf_encoder.config.schema import FieldKind
from dynerf_encoder.export.latent_pca import RotatedLatents, rotate_to_principal_axes
from dynerf_encoder.export.tensors import dequantised_latents, quantise_clip, quantise_latents
from support.encoding import tiny_config

_FRAMES, _RANK = 6, 2


def _model(kind: FieldKind = "mlp", *assignments: str) -> Model:
    config = tiny_config(*assignments, kind=kind)
    torch.manual_seed(0)
    return build_model(kind, settings_record(getattr(config, kind)))


def _latents(model: Model) -> torch.Tensor:
    """Latents of frames that differ along ``_RANK`` directions only."""
    generator = torch.Generator().manual_seed(1)
    coordinates = torch.randn(_FRAMES, _RANK, generator=generator)
    return coordinates @ torch.randn(_RANK, model.latent_size, generator=generator)


def _query(model: Model, latents: torch.Tensor) -> torch.Tensor:
    """Densities and colours of both networks at some points."""
    generator = torch.Generator().manual_seed(2)
    points = 2 * torch.rand(len(latents), 3, 4, 3, generator=generator) - 1
    directions = torch.nn.functional.normalize(torch.randn(len(latents), 3, 3, generator=generator), dim=-1)
    folded = model.fold(latents)
    with torch.no_grad():
        assert isinstance(folded.coarse, FoldedField)
        fine, coarse = folded.fine.query(points, directions), folded.coarse.query(points, directions)
    return torch.cat([part.flatten() for part in (*fine, *coarse)])


def _load(model: Model, stored: RotatedLatents) -> None:
    with torch.no_grad():
        for name, weight in stored.weights.items():
            model.get_parameter(name).copy_(weight)


@pytest.mark.parametrize("skip", [0, 1, 9])
def test_the_field_is_unchanged(skip: int) -> None:
    model = _model("mlp", f"mlp.skip={skip}")
    latents = _latents(model)
    before = _query(model, latents)
    stored = rotate_to_principal_axes(model, latents, step=1e-4)
    assert len(stored.weights) == (4 if skip == 1 else 2)
    _load(model, stored)
    torch.testing.assert_close(_query(model, stored.latents), before, rtol=1e-4, atol=1e-5)
    assert float((_query(model, latents) - before).abs().max()) > 1e-3  # the old latents no longer fit


def test_only_as_many_numbers_are_left_as_frames_differ_in() -> None:
    model = _model()
    assert isinstance(model, MlpModel)
    stored = rotate_to_principal_axes(model, _latents(model), step=1e-4)
    assert stored.latents.any(dim=0).tolist() == [True] * _RANK + [False] * (model.latent_size - _RANK)
    for name, span in model.latent_columns().items():
        used = stored.weights[name][:, span].any(dim=0)
        assert used.tolist() == [True] * _RANK + [False] * (model.latent_size - _RANK)
        kept = torch.ones(stored.weights[name].shape[1], dtype=torch.bool)
        kept[span] = False
        assert torch.equal(stored.weights[name][:, kept], model.get_parameter(name)[:, kept])


def test_lengths_are_kept_and_so_is_the_meaning_of_a_step() -> None:
    latents = _latents(model := _model())
    torch.testing.assert_close(
        rotate_to_principal_axes(model, latents, 1e-4).latents.norm(dim=1), latents.norm(dim=1)
    )


def test_axes_that_rounding_would_empty_are_left_out() -> None:
    model = _model()
    latents = torch.zeros(_FRAMES, model.latent_size)
    latents[:, 3] = 1.0
    latents[2, 5] = 0.4
    assert int(rotate_to_principal_axes(model, latents, step=1.0).latents.any(dim=0).sum()) == 1
    assert int(rotate_to_principal_axes(model, latents, step=0.5).latents.any(dim=0).sum()) == 2


def test_latents_of_zeros_leave_no_weights_for_them() -> None:
    model = _model()
    latents = torch.zeros(_FRAMES, model.latent_size)
    before = _query(model, latents)
    stored = rotate_to_principal_axes(model, latents, step=0.1)
    _load(model, stored)
    assert not stored.latents.any()
    assert torch.equal(_query(model, stored.latents), before)


def test_a_field_without_latent_columns_is_unchanged() -> None:
    model = _model("planes")
    latents = _latents(model)
    stored = rotate_to_principal_axes(model, latents, step=0.1)
    assert stored.weights == {}
    assert stored.latents is latents


class TestClip:
    @pytest.mark.parametrize(
        ("fps", "group", "firsts"),
        [
            (Fraction(3), 0, [0, 3]), (Fraction(2997, 1000), 0, [0, 3]), (Fraction(60), 0, [0]),
            (Fraction(1, 4), 0, [0, 1, 2, 3, 4, 5]), (Fraction(60), 4, [0, 4]),
        ],
    )  # fmt: skip
    def test_groups_are_a_second_unless_set(self, fps: Fraction, group: int, firsts: list[int]) -> None:
        model = _model("planes")
        steps = replace(tiny_config().quantisation, group=group)
        _, groups = quantise_clip(model, _latents(model), steps, fps)
        assert [first for first, _ in groups] == firsts

    def test_latents_shrink(self) -> None:
        model = _model("mlp", "mlp.latent=64")
        latents, steps = _latents(model), tiny_config().quantisation
        weights, groups = quantise_clip(model, latents, steps, Fraction(30))
        assert int(dequantised_latents(groups).any(dim=0).sum()) == _RANK
        plain = dequantised_latents(quantise_latents(latents, steps, 30))
        assert int(plain.any(dim=0).sum()) == 64
        zeros = {t.name: float((t.symbols == 0).mean()) for t in weights}
        assert zeros["fine.layers.0.weight"] > 0.6

    def test_a_wider_step_is_the_coarse_networks_only(self) -> None:
        model = _model()
        steps = tiny_config("quantisation.network=0.02", "quantisation.coarse=4").quantisation
        even = replace(steps, coarse=1.0)
        wide, narrow = (quantise_clip(model, _latents(model), q, Fraction(30))[0] for q in (steps, even))
        for a, b in zip(wide, narrow, strict=True):
            factor = 4 if a.name.startswith("coarse.") else 1
            assert float(a.steps[0]) == pytest.approx(factor * float(b.steps[0]), rel=1e-6), a.name
