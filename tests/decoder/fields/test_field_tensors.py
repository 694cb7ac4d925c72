"""Tensor shapes derived from the header equal those of the model built from it."""

from dataclasses import replace
from typing import Any

import pytest

from dynerf_decoder.fields.build import build_model, settings_record
from dynerf_decoder.fields.mlp import MlpSettings
from dynerf_decoder.fields.planes import PlanesSettings
from dynerf_format import FieldRecord, tensor_shapes

_PLANES = PlanesSettings()
_MLP = MlpSettings(latent=3, depth=4, width=7, skip=2)


@pytest.mark.parametrize(
    "settings",
    [
        _PLANES,
        replace(_PLANES, scales=(8, 12, 5), basis=(2, 0, 3), channels=3, view_features=0, coarse_channels=1),
        replace(_PLANES, basis=(0, 1), coarse_basis=1, latent=1, hidden=5, view_hidden=2, coarse_hidden=3),
        _MLP,
        replace(_MLP, networks=1, skip=0, position_frequencies=0),
        replace(_MLP, skip=9, depth=1, direction_frequencies=0),
    ],
)
def test_shapes_equal_those_of_the_model(settings: PlanesSettings | MlpSettings) -> None:
    field = FieldRecord(
        "planes" if isinstance(settings, PlanesSettings) else "mlp", settings_record(settings)
    )
    model = build_model(field.kind, field.settings)
    expected = {name: tuple(value.shape) for name, value in model.named_parameters() if value.numel()}
    assert tensor_shapes(field) == expected


def test_the_papers_network_has_the_papers_number_of_parameters() -> None:
    shapes = tensor_shapes(FieldRecord("mlp", settings_record(MlpSettings())))
    assert shapes is not None
    fine = [shape for name, shape in shapes.items() if name.startswith("fine.")]
    assert sum(a * (b[0] if b else 1) for a, *b in fine) == 3_354_372


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("splats", {}),
        ("planes", {"latent": "many"}),
        ("planes", {"scales": [8], "basis": [1, 2]}),
        ("planes", {"scales": 8}),
        ("planes", {"hidden": -1}),
        ("planes", {"scales": [8] * 10**5, "basis": [8] * 10**5}),
        ("mlp", {"depth": 10**9}),
        ("mlp", {"width": True}),
    ],
)
def test_invalid_settings_have_no_shapes(kind: str, changes: dict[str, Any]) -> None:
    base = settings_record(PlanesSettings() if kind == "planes" else MlpSettings())
    assert tensor_shapes(FieldRecord(kind, base | changes)) is None
    assert tensor_shapes(FieldRecord(kind, {})) is None
