"""Shapes in signatures are checked while the tests run, in the calls that ``support.shapes`` states."""

from collections.abc import Callable, Iterator
from typing import Any

import jaxtyping
import pytest
import torch

from dynerf_encoder.evaluation.metrics import psnr
from support import shapes
from support.thorough import THOROUGH


@pytest.fixture(autouse=True)
def _counted_anew() -> Iterator[None]:
    shapes.start_test()
    yield
    shapes.start_test()


def test_a_wrong_shape_is_refused() -> None:
    picture = torch.zeros(4, 5, 3)
    assert psnr(picture, picture + 0.1) == pytest.approx(20, abs=1e-3)
    with pytest.raises(jaxtyping.TypeCheckError):
        psnr(picture, torch.zeros(4, 6, 3))


@pytest.mark.skipif(THOROUGH, reason="every call is checked")
class TestSample:
    def test_the_first_calls_of_each_test_are_checked_and_then_fewer_and_fewer(self) -> None:
        checked: list[int] = []

        def decorate(function: Callable[[int], int]) -> Callable[[int], int]:
            def check(number: int) -> int:
                checked.append(number)
                return function(number)

            return check

        def double(number: int) -> int:
            return 2 * number

        function = shapes.sampled(decorate, double)
        assert [function(number) for number in range(40)] == list(range(0, 80, 2))
        assert checked == [0, 1, 3, 7, 15, 31]
        shapes.start_test()
        function(100)
        assert checked[-1] == 100

    def test_an_inner_function_is_checked_in_its_first_definitions(self) -> None:
        def define() -> Callable[[int], int]:
            def inner(number: int) -> int:
                return number

            return inner

        def decorate(_: object) -> Any:
            return lambda _: "checked"

        found = [shapes.sampled(decorate, define())(1) for _ in range(4)]
        assert found == ["checked", "checked", 1, 1]

    def test_what_has_no_annotations_stays_as_it_is(self) -> None:
        kernel = lambda number: number  # noqa: E731
        assert shapes.sampled(lambda _: None, kernel) is kernel
