"""Parametric tables, and the row models that use them."""

from __future__ import annotations

import numpy as np
import pytest

from dynerf_format import coarsen
from dynerf_format.coding.context_models import COLUMNS, LINES, ROW_MODELS, ROWS, STEPS, fits
from dynerf_format.coding.entropy_coder import CodedTensor, code
from dynerf_format.coding.parametric_tables import (
    SCALE_MAX,
    SHAPE_MAX,
    ParametricTable,
    fit,
    scaled_frequencies,
    smooth_frequencies,
)
from dynerf_format.coding.rans_layout import TOTAL
from dynerf_format.coding.side_information import SideInformation
from dynerf_format.coding.tokens import TOKENS_MAX, to_tokens
from dynerf_format.tensors.tensor_payload import pack_tensors, unpack_tensors
from support.clips import tensor
from support.plain_decoder import smooth_table, unpack


def normal(shape: tuple[int, ...], scale: float, seed: int = 0) -> np.ndarray:
    return np.rint(np.random.default_rng(seed).normal(0, scale, shape)).astype(np.int32)


def bits_of_class(symbols: np.ndarray) -> float:
    counts = np.unique(symbols, return_counts=True)[1]
    return float(-(counts * np.log2(counts / counts.sum())).sum())


def test_every_smooth_table_matches_the_specification() -> None:
    """Every 7th scale of every shape, and the largest, against the plain decoder in Python integers."""
    for shape in range(1, SHAPE_MAX + 1):
        for scale in [*range(0, SCALE_MAX, 7), SCALE_MAX]:
            tokens = 1 + (shape * 37 + scale * 11) % TOKENS_MAX
            found = smooth_frequencies(ParametricTable(shape, scale, tokens))
            assert (int(found.sum()), int(found.min()) > 0) == (TOTAL, True)
            assert found.tolist() == smooth_table(shape, scale, tokens), (shape, scale, tokens)


def test_a_scaled_table_is_the_smooth_one_of_that_scale() -> None:
    found = scaled_frequencies(ParametricTable(12, 200, 60), 40, 4)
    for number, row in enumerate(found):
        assert np.array_equal(row, smooth_frequencies(ParametricTable(12, min(200 + 4 * number, 255), 60)))


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("scale", [0.2, 1.0, 33.0, 4000.0])
def test_a_smooth_table_approximates_its_distribution(power: float, scale: float) -> None:
    """2 ^ -((|r| / a) ^ b) summed over all integers of a token, in floating point."""
    shape, octaves = round(8 * power), round(8 * (8 + np.log2(scale)))
    tokens = 192 if scale > 100 else 120
    integers = np.arange(-200_000, 200_001)
    share = 2.0 ** -((np.abs(integers) / 2 ** (octaves / 8 - 8)) ** power)
    sums = np.bincount(to_tokens(integers)[0], share, tokens)[:tokens] / share.sum()
    found = smooth_frequencies(ParametricTable(shape, octaves, tokens)) / TOTAL
    frequent = sums > 100 / TOTAL
    assert np.abs(found - sums)[frequent].max() < 0.01
    lost = (sums[frequent] * np.log2(sums[frequent] / found[frequent])).sum()
    assert abs(lost) < 0.03


def test_a_few_hundred_symbols_take_no_more_than_their_entropy() -> None:
    """Within 2 %, including tables and lanes; without the 11 bytes of each head and 1 for their number."""
    tensors = [tensor(f"w{n}", normal((16, 32), 33.0, n)) for n in range(12)]
    everything = np.concatenate([one.symbols.ravel() for one in tensors])
    assert 8 * (len(pack_tensors(tensors)) - 12 * 11 - 1) < 1.02 * bits_of_class(everything)


def test_the_fit_finds_the_shape() -> None:
    generator = np.random.default_rng(1)
    for draw, shapes in ((generator.laplace, {6, 7, 8, 10}), (generator.normal, {14, 16, 20})):
        tokens = to_tokens(np.rint(draw(0, 20, 20_000)).astype(np.int64))[0]
        assert fit(np.bincount(tokens))[0].shape in shapes


def graded_noise(rows: int, columns: int) -> np.ndarray:
    """Noise whose magnitude grows from column to column."""
    return np.rint(normal((rows, columns), 4096) / 4096 * 2.0 ** (np.arange(columns) % 8)).astype(np.int32)


CASES = {
    ROWS: graded_noise(120, 48),
    COLUMNS: graded_noise(120, 48).T,
    STEPS: np.cumsum(graded_noise(30, 32), axis=0),
    LINES: np.cumsum(np.cumsum(graded_noise(30, 32), axis=0), axis=0),
}


@pytest.mark.parametrize("model", ROW_MODELS)
def test_each_row_model_is_chosen_where_it_fits_and_round_trips(model: int) -> None:
    symbols = CASES[model]
    coded = code(symbols, SideInformation(), temporal=True)
    assert isinstance(coded, CodedTensor)
    assert coded.tokens.model == model
    payload = pack_tensors([tensor("latents", symbols)])
    assert 8 * len(payload) < 0.95 * bits_of_class(symbols)
    assert np.array_equal(unpack_tensors(payload)["latents"].symbols, symbols)
    assert np.array_equal(unpack(payload)["latents"], symbols)


@pytest.mark.parametrize("shape", [(1, 300), (2, 300), (3, 300), (300, 1), (400, 3), (7, 501)])
@pytest.mark.parametrize("size", [3, 3_000_000])
def test_matrices_of_any_shape_round_trip(shape: tuple[int, int], size: int) -> None:
    symbols = np.clip(np.cumsum(normal(shape, size), axis=0), -(2**23), 2**23)
    for name in ("latents", "w"):
        payload = pack_tensors([tensor(name, symbols)])
        assert np.array_equal(unpack_tensors(payload)[name].symbols, symbols)
        assert np.array_equal(unpack(payload)[name], symbols)


@pytest.mark.parametrize("refines", [True, False])
def test_refined_and_continued_matrices_use_row_models(refines: bool) -> None:
    fine = tensor("w", graded_noise(64, 48))
    coarse = coarsen(fine, 9)
    other = {"w": coarse if refines else tensor("w", fine.symbols - graded_noise(64, 48) // 3)}
    symbols = {"w": other["w"].symbols}
    if refines:
        payload = pack_tensors([fine], {"w": (coarse, 9)})
        found, plain = unpack_tensors(payload, coarser=other), unpack(payload, symbols)
    else:
        payload = pack_tensors([fine], previous=other)
        found, plain = unpack_tensors(payload, previous=other), unpack(payload, None, symbols)
    assert np.array_equal(found["w"].symbols, fine.symbols)
    assert np.array_equal(plain["w"], fine.symbols)


def test_temporal_models_need_the_absence_of_side_information() -> None:
    other = np.zeros((4, 4), np.int32)
    for side_info in (SideInformation(other, 3), SideInformation(previous=other)):
        assert [fits(model, (4, 4), side_info) for model in (ROWS, COLUMNS, STEPS, LINES)] == [
            True,
            True,
            False,
            False,
        ]
