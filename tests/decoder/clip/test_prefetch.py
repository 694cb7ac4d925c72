"""Prefetched values equal values loaded on demand."""

import threading
from contextlib import closing

import pytest

from dynerf_decoder.clip.prefetch import Prefetcher


def test_a_submitted_value_is_loaded_once() -> None:
    made: list[tuple[int, str]] = []

    def make(key: int) -> int:
        made.append((key, threading.current_thread().name))
        return 10 * key

    prefetcher = Prefetcher(make)
    assert prefetcher.get(1) == 10
    prefetcher.submit(2)
    assert prefetcher.get(2) == 20
    assert [key for key, _ in made] == [1, 2]
    assert made[0][1] == threading.current_thread().name != made[1][1]


def test_a_value_that_was_not_submitted_is_loaded_on_demand() -> None:
    prefetcher: Prefetcher[int, int] = Prefetcher(lambda key: 10 * key)
    prefetcher.submit(2)
    assert prefetcher.get(3) == 30
    assert prefetcher.get(2) == 20


def test_an_error_is_raised_in_get() -> None:
    prefetcher: Prefetcher[int, float] = Prefetcher(lambda key: 1 / key)
    prefetcher.submit(0)
    with pytest.raises(ZeroDivisionError):
        prefetcher.get(0)
    prefetcher.submit(0)
    assert prefetcher.get(2) == 0.5, "an error of a dropped value is ignored"


def test_after_an_interrupted_wait_the_value_can_still_be_fetched() -> None:
    made: list[int] = []
    prefetcher: Prefetcher[int, None] = Prefetcher(made.append)
    prefetcher.submit(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynerf_decoder.clip.prefetch.wait", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            prefetcher.get(1)
    prefetcher.get(1)
    assert made == [1]
    prefetcher.close()


def _interrupted(_futures: object) -> None:
    raise KeyboardInterrupt


def test_close_ends_the_thread_when_no_value_was_fetched() -> None:
    before = set(threading.enumerate())
    prefetcher: Prefetcher[int, int] = Prefetcher(lambda key: 10 * key)
    with closing(prefetcher):
        prefetcher.submit(2)
        assert set(threading.enumerate()) != before
    assert set(threading.enumerate()) == before


def test_repeated_submissions_load_one_value_at_a_time() -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    def make(key: int) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.01)
        with lock:
            running[0] -= 1
        return key

    with closing(Prefetcher(make)) as prefetcher:
        for key in range(5):
            prefetcher.submit(key)
        assert prefetcher.get(7) == 7
    assert most == [1]
