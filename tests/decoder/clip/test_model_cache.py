"""Models of segments are loaded once for all threads; errors are raised where the model is requested."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dynerf_decoder.clip.model_cache import ModelCache
from dynerf_decoder.fields.field import Model


class _Loader:
    """Creates models by number, blocks while ``may_finish`` is not set, and records the thread."""

    def __init__(self) -> None:
        self.loaded: list[tuple[int, str]] = []
        self.may_finish = threading.Event()
        self.may_finish.set()
        self.broken: set[int] = set()

    def __call__(self, segment: int) -> Model:
        self.loaded.append((segment, threading.current_thread().name))
        assert self.may_finish.wait(10)
        if segment in self.broken:
            raise ValueError(f"segment {segment}")
        model = Model()
        model.latent_size = segment
        return model

    @property
    def segments(self) -> list[int]:
        return [segment for segment, _ in self.loaded]


def test_a_prefetched_model_is_awaited_and_not_loaded_again() -> None:
    load = _Loader()
    models = ModelCache(load)
    load.may_finish.clear()
    models.prefetch(1)
    results: list[Model] = []
    threads = [threading.Thread(target=lambda: results.append(models.get(1))) for _ in range(3)]
    for thread in threads:
        thread.start()
    load.may_finish.set()
    for thread in threads:
        thread.join()
    assert [model.latent_size for model in results] == [1, 1, 1]
    assert load.segments == [1]
    assert load.loaded[0][1] != threading.current_thread().name
    models.close()


def test_only_the_current_model_and_the_next_are_cached() -> None:
    load = _Loader()
    models = ModelCache(load)
    for segment in range(4):
        assert models.get(segment).latent_size == segment
        models.prefetch(segment + 1)
        models.prefetch(segment + 1)
    assert models.get(4).latent_size == 4
    assert models.segments() == [3, 4]
    assert load.segments == [0, 1, 2, 3, 4]
    models.clear()
    models.get(4)
    assert load.segments == [0, 1, 2, 3, 4, 4]
    models.close()


def test_an_error_is_raised_on_request_and_the_next_request_loads_again() -> None:
    load = _Loader()
    load.broken = {1}
    models = ModelCache(load)
    models.prefetch(1)
    assert models.get(0).latent_size == 0
    with pytest.raises(ValueError, match="segment 1"):
        models.get(1)
    load.broken.clear()
    assert models.get(1).latent_size == 1
    models.close()


def test_after_close_the_thread_has_ended_and_models_can_still_be_loaded() -> None:
    before = set(threading.enumerate())
    models = ModelCache(_Loader())
    models.prefetch(1)
    models.close()
    assert set(threading.enumerate()) == before
    models.prefetch(2)
    assert models.segments() in ([], [1]), "loaded before, or cancelled; nothing new"
    assert models.get(2).latent_size == 2


def test_eviction_and_clearing_do_not_affect_waiting_callers() -> None:
    """Each model's loading is blocked while others evict it from the cache."""
    load = _Loader()
    models = ModelCache(load)
    load.may_finish.clear()
    with ThreadPoolExecutor(8) as threads:
        results = [threads.submit(models.get, segment) for segment in (0, 0, 1, 2, 3)]
        while len(load.loaded) < 4:
            time.sleep(0.001)
        models.clear()
        load.may_finish.set()
        assert [future.result(10).latent_size for future in results] == [0, 0, 1, 2, 3]
    models.close()


def test_a_model_evicted_before_its_turn_is_not_loaded() -> None:
    load = _Loader()
    models = ModelCache(load)
    load.may_finish.clear()
    for segment in range(5):
        models.prefetch(segment)
    load.may_finish.set()
    models.get(4)
    models.close()
    assert set(load.segments) <= {0, 3, 4}


def test_four_threads_over_eight_segments_get_the_right_models_from_a_bounded_cache() -> None:
    load = _Loader()
    load.broken = {5}
    models = ModelCache(load)

    def access(seed: int) -> None:
        chosen = random.Random(seed)
        for _ in range(2000):
            segment = chosen.randrange(8)
            models.prefetch((segment + 1) % 8)
            if segment == 5:
                with pytest.raises(ValueError, match="segment 5"):
                    models.get(5)
            else:
                assert models.get(segment).latent_size == segment
            if chosen.random() < 0.02:
                models.clear()
            assert len(models.segments()) <= 2

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(access, seed) for seed in range(4)]:
            done.result(60)
    models.close()
