"""Quantisation: errors of values, exact cases, and refused input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from dynerf_format import FormatError, QuantisedTensor, quantise
from support.clips import QUICK

steps = st.floats(1e-3, 1e3)


@QUICK
@given(
    values=npst.arrays(np.float64, npst.array_shapes(max_dims=4, max_side=6), elements=st.floats(-1e3, 1e3)),
    step=steps,
)
def test_the_error_is_at_most_half_a_step(values: np.ndarray, step: float) -> None:
    tensor = quantise("t", values, step)
    stored_step = float(tensor.steps[0])
    moved = np.abs(tensor.dequantise() - values)
    float32_rounding = np.abs(values).max() * 2**-23
    assert moved.max() <= stored_step / 2 + float32_rounding


@QUICK
@given(
    values=npst.arrays(np.float32, npst.array_shapes(max_side=6), elements=st.floats(-1e3, 1e3, width=32)),
    step=steps,
)
def test_quantising_is_idempotent(values: np.ndarray, step: float) -> None:
    once = quantise("t", values, step)
    twice = quantise("t", once.dequantise(), once.steps)
    assert np.array_equal(once.symbols, twice.symbols)
    assert np.array_equal(once.steps, twice.steps)


def test_ties_go_to_even() -> None:
    assert quantise("t", [-1.5, -0.5, 0.5, 1.5, 2.5], 1.0).symbols.tolist() == [-2, 0, 0, 2, 2]


def test_each_channel_may_have_its_own_step() -> None:
    tensor = quantise("t", [[1.0, 2.0], [1.0, 2.0]], [0.5, 0.25])
    assert tensor.symbols.tolist() == [[2, 4], [4, 8]]
    assert tensor.dequantise().tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert tensor.dequantise().dtype == np.float32


def test_the_largest_symbol_is_exact() -> None:
    tensor = quantise("t", [2.0**23 - 1, -(2.0**23)], 1.0)
    assert tensor.dequantise().tolist() == [2.0**23 - 1, -(2.0**23)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(FormatError, match=r"'planes\.0': has values that are not finite"):
        quantise("planes.0", [0.0, bad], 1.0)


def test_a_step_that_is_too_small_is_refused() -> None:
    with pytest.raises(FormatError, match="the step is too small"):
        quantise("t", [2.0**23 + 1], 1.0)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, 2.0**-101, 2.0**101, 1e300, 1e-300])
def test_invalid_steps_are_refused(bad: float) -> None:
    with pytest.raises(FormatError, match="a step is not finite"):
        quantise("t", [0.0], bad)


@pytest.mark.parametrize("bad", [[1.0, 1.0], [[1.0, 1.0, 1.0]], []])
def test_steps_that_fit_no_axis_are_refused(bad: list[float]) -> None:
    with pytest.raises(FormatError, match=r"expected \(1,\) or \(3,\)"):
        quantise("t", np.zeros((3, 2)), bad)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,) * 9])
def test_shapes_without_elements_or_with_too_many_axes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(FormatError, match="shape"):
        quantise("t", np.zeros(shape), 1.0)


@pytest.mark.parametrize("name", ["", "with space", "ä", "x" * 129, "new\nline", "nul\0"])
def test_names_are_short_ascii_words(name: str) -> None:
    with pytest.raises(FormatError, match="tensor name"):
        quantise(name, [0.0], 1.0)


def test_a_tensor_of_other_types_is_refused() -> None:
    with pytest.raises(FormatError, match="expected int32 and float32"):
        QuantisedTensor("t", np.zeros(3, np.int64), np.ones(1, np.float32))
