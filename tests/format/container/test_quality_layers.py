"""Quality layers from the tensors after each of them."""

from __future__ import annotations

import numpy as np
import pytest

from dynerf_format import (
    BytesSource,
    FormatError,
    QuantisedTensor,
    Reader,
    clip_bytes,
    key_chunks,
    latents_chunk,
    layers_between,
    quantise,
)
from support.clips import small_header, tensor


def _levels() -> list[dict[str, QuantisedTensor]]:
    """Planes that are absent, then wide, then neither division nor refinement; a bias that stays."""
    row, column = np.mgrid[:16, :16]
    ramps = (row * 3 + column * 2) * np.arange(1, 5)[:, None, None] - 90
    bias = quantise("bias", [0.25, 0.5], 0.25)
    planes = (
        quantise("planes", np.zeros((4, 16, 16)), 1.0), quantise("planes", ramps + 4.0, 8.0),
        quantise("planes", ramps * 1.0, 2.6),
    )  # fmt: skip
    return [{"bias": bias, "planes": each} for each in planes]


def test_a_reader_has_each_level_after_its_layer() -> None:
    levels = _levels()
    base, *finer = key_chunks(0, layers_between(levels))
    latents = latents_chunk(0, 0, quantise("latents", [[0.5]], 0.5))
    reader = Reader(BytesSource(clip_bytes(small_header(), [base, latents, *finer])))
    assert reader.layers(0) == 3
    for number, level in enumerate(levels, start=1):
        for name, expected in level.items():
            found = reader.weights(0, number)[name]
            np.testing.assert_array_equal(found.symbols, expected.symbols)
            np.testing.assert_array_equal(found.steps, expected.steps)


def test_the_bytes_of_layers_are_those_of_the_weights() -> None:
    base, *finer = key_chunks(0, layers_between(_levels()))
    latents = latents_chunk(0, 0, quantise("latents", [[0.5]], 0.5))
    reader = Reader(BytesSource(clip_bytes(small_header(), [base, latents, *finer])))
    assert len(reader.layer_bytes(0)) == 3
    assert sum(reader.layer_bytes(0)) == reader.bytes_by_kind()["WGHT"]


def test_factors_are_ratios_of_steps_and_only_what_changed_is_stored() -> None:
    first, second, third = layers_between(_levels())
    assert first.below is None
    assert [each.name for each in first.tensors] == ["bias", "planes"]
    for layer, factor in ((second, 0), (third, 3)):  # 8 / 2.6, rounded
        assert [each.name for each in layer.tensors] == ["planes"]
        assert layer.below is not None
        assert {name: number for name, (_, number) in layer.below.items()} == {"bias": 0, "planes": factor}


def test_a_factor_that_readers_would_refuse_is_not_used() -> None:
    wide, fine = tensor("t", [2**22]), tensor("t", [5])
    coarser = QuantisedTensor("t", wide.symbols, fine.steps * np.float32(200))
    _, layer = layers_between([{"t": coarser}, {"t": fine}])
    assert layer.below is not None
    assert layer.below["t"][1] == 0


def test_too_many_layers_are_refused() -> None:
    with pytest.raises(FormatError, match="17 layers, at most 16"):
        layers_between([{"t": tensor("t", [number])} for number in range(17)])
