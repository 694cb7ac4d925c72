"""Work begun before it is asked for gives what it would have given when asked."""

import threading

import pytest

from dynerf_encoder.ahead import Ahead


def test_what_was_begun_is_taken_and_made_once() -> None:
    made: list[tuple[int, str]] = []

    def make(key: int) -> int:
        made.append((key, threading.current_thread().name))
        return 10 * key

    ahead = Ahead(make)
    assert ahead.take(1) == 10
    ahead.begin(2)
    assert ahead.take(2) == 20
    assert [key for key, _ in made] == [1, 2]
    assert made[0][1] == threading.current_thread().name != made[1][1]


def test_something_else_than_was_begun_is_made_anew() -> None:
    ahead: Ahead[int, int] = Ahead(lambda key: 10 * key)
    ahead.begin(2)
    assert ahead.take(3) == 30
    assert ahead.take(2) == 20


def test_an_error_is_raised_where_its_work_is_taken() -> None:
    ahead: Ahead[int, float] = Ahead(lambda key: 1 / key)
    ahead.begin(0)
    with pytest.raises(ZeroDivisionError):
        ahead.take(0)
    ahead.begin(0)
    assert ahead.take(2) == 0.5, "what is not asked for may fail"
