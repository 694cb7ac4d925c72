"""Models of segments are loaded once, whoever asks for them and when; what fails is told to who needs it."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dynerf_decoder.clip.model_cache import ModelCache
from dynerf_decoder.fields.field import Model


class _Loader:
    """Makes models by number, slowly where told to, and notes by which thread."""

    def __init__(self) -> None:
        self.loaded: list[tuple[int, str]] = []
        self.go = threading.Event()
        self.go.set()
        self.broken: set[int] = set()

    def __call__(self, segment: int) -> Model:
        self.loaded.append((segment, threading.current_thread().name))
        assert self.go.wait(10)
        if segment in self.broken:
            raise ValueError(f"segment {segment}")
        model = Model()
        model.latent_size = segment
        return model

    @property
    def segments(self) -> list[int]:
        return [segment for segment, _ in self.loaded]


def test_what_was_begun_is_waited_for_and_not_loaded_again() -> None:
    load = _Loader()
    models = ModelCache(load)
    load.go.clear()
    models.prefetch(1)
    asked: list[Model] = []
    threads = [threading.Thread(target=lambda: asked.append(models.get(1))) for _ in range(3)]
    for thread in threads:
        thread.start()
    load.go.set()
    for thread in threads:
        thread.join()
    assert [model.latent_size for model in asked] == [1, 1, 1]
    assert load.segments == [1]
    assert load.loaded[0][1] != threading.current_thread().name
    models.close()


def test_the_present_one_and_the_next_are_kept_and_no_more() -> None:
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


def test_an_error_is_raised_where_the_model_is_asked_for_and_the_next_try_is_a_new_one() -> None:
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


def test_closed_its_thread_has_ended_and_models_can_still_be_had() -> None:
    before = set(threading.enumerate())
    models = ModelCache(_Loader())
    models.prefetch(1)
    models.close()
    assert set(threading.enumerate()) == before
    models.prefetch(2)
    assert models.segments() in ([], [1]), "begun before, or given up; nothing new"
    assert models.get(2).latent_size == 2


def test_eviction_and_forgetting_leave_those_who_wait_their_model() -> None:
    """Each segment's model is held up while others push it out of the cache."""
    load = _Loader()
    models = ModelCache(load)
    load.go.clear()
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(models.get, segment) for segment in (0, 0, 1, 2, 3)]
        while len(load.loaded) < 4:
            time.sleep(0.001)
        models.clear()
        load.go.set()
        assert [future.result(10).latent_size for future in asked] == [0, 0, 1, 2, 3]
    models.close()


def test_what_was_begun_and_pushed_out_before_its_turn_is_not_loaded() -> None:
    load = _Loader()
    models = ModelCache(load)
    load.go.clear()
    for segment in range(5):
        models.prefetch(segment)
    load.go.set()
    models.get(4)
    models.close()
    assert set(load.segments) <= {0, 3, 4}


def test_four_threads_over_eight_segments_get_the_right_models_from_a_bounded_cache() -> None:
    load = _Loader()
    load.broken = {5}
    models = ModelCache(load)

    def watch(seed: int) -> None:
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
        for done in [threads.submit(watch, seed) for seed in range(4)]:
            done.result(60)
    models.close()
