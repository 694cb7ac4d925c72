"""Trained quality layers: within their bytes, near the finished values, better pictures than division."""

import copy
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
import torch

from dynerf_decoder.fields.build import build_model, load_weights, settings_record
from dynerf_decoder.fields.field import Model
from dynerf_encoder.captures.scene_bounds import choose_space
from dynerf_encoder.config.schema import Config, Quantisation
from dynerf_encoder.export.tensors import dequantised_latents, layered_weights, quantise_clip
from dynerf_encoder.frames.frame_store import FrameStore
from dynerf_encoder.kernels.records import DEAD_ZONE
from dynerf_encoder.layers.coarse_layers import CoarseLayers, plan_layers, train_layers
from dynerf_encoder.layers.refit import refit
from dynerf_encoder.layers.train_layer import train_layer
from dynerf_encoder.rate.step_sizes import is_plane
from dynerf_encoder.rays.cpu_source import RaySource
from dynerf_encoder.schedule.stages import Plan, Stage
from dynerf_encoder.training.trainer import Trainer
from dynerf_encoder.training.validation import HeldOutValidator
from dynerf_format import QuantisedTensor, coarsen, key_chunks, layers_between
from support.encoding import scene_store, tiny_config

Levels = list[dict[str, QuantisedTensor]]

_VIEWS = (1, 2, 3)
_OTHER_BYTES = 500
_SETTINGS = ("layers.budget=0.5,1", "layers.steps=0.5", "rate.start=0.3", "planes.scales=8,24")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    return scene_store(tmp_path_factory.mktemp("layers"))


def _trained(store: FrameStore, config: Config, steps: int) -> Trainer:
    torch.manual_seed(3)
    space = choose_space([store.cameras[view] for view in _VIEWS], [2.0] * 3, [8.0] * 3)
    model = build_model(config.field, settings_record(getattr(config, config.field)))
    frames = tuple(range(store.frames))
    plan = Plan((Stage("isg", 1.0, frames, 1.0),), steps, frames)
    trainer = Trainer(
        config, model, space, RaySource(store, _VIEWS), {}, plan,
        frames=store.frames, seed=4, time_limit=None,
    )  # fmt: skip
    assert len(list(trainer.run())) == steps
    return trainer


def _unwatched(_done: int, _total: int) -> None:
    """Progress that is not shown."""


def _file_bytes(levels: Sequence[dict[str, QuantisedTensor]]) -> int:
    return _OTHER_BYTES + sum(_bytes(levels))


def _layers(trainer: Trainer) -> CoarseLayers:
    def quantise(model: Model, steps: Quantisation) -> list[QuantisedTensor]:
        return quantise_clip(model, trainer.latents, steps, Fraction(30))[0]

    shown: list[tuple[str, int, int]] = []
    layers = train_layers(trainer, quantise, _file_bytes, lambda *progress: shown.append(progress))
    assert all(done <= total for _, done, total in shown)
    return layers


def _final(trainer: Trainer) -> list[QuantisedTensor]:
    return quantise_clip(trainer.model, trainer.latents, trainer.rate.quantisation, Fraction(30))[0]


def _bytes(levels: Sequence[dict[str, QuantisedTensor]]) -> list[int]:
    return [len(chunk.payload) for chunk in key_chunks(0, layers_between(levels))]


@pytest.fixture(scope="module")
def trainer(store: FrameStore) -> Trainer:
    return _trained(store, tiny_config(*_SETTINGS), steps=200)


@pytest.fixture(scope="module")
def layered(trainer: Trainer) -> tuple[Model, Levels]:
    """The model before layers are trained, and the tensors after each of them.

    ``trainer`` then holds planes that agree with the layers.
    """
    finished = copy.deepcopy(trainer.model)
    return finished, _layers(trainer).levels(_final(trainer))


@pytest.fixture(scope="module")
def finished(layered: tuple[Model, Levels]) -> Model:
    return layered[0]


@pytest.fixture(scope="module")
def levels(layered: tuple[Model, Levels]) -> Levels:
    return layered[1]


def test_the_last_layer_is_the_model(trainer: Trainer, levels: Levels) -> None:
    expected = {tensor.name: tensor for tensor in _final(trainer)}
    assert levels[-1].keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(levels[-1][name].symbols, tensor.symbols)
        np.testing.assert_array_equal(levels[-1][name].steps, tensor.steps)


def test_a_layer_has_wider_steps_and_stays_near_the_finished_planes(
    trainer: Trainer, finished: Model, levels: Levels
) -> None:
    for name, parameter in finished.named_parameters():
        if is_plane(name) and parameter.numel() > 0:
            factor = levels[0][name].steps[0] / levels[1][name].steps[0]
            assert factor == pytest.approx(round(factor), rel=1e-5)
            assert round(factor) % 2 == 1 and factor > 2
            # Rounding moves a value by half a wide step and the dead zone at most.
            reach = trainer.config.layers.reach / factor + 0.5 + DEAD_ZONE
            difference = np.abs(levels[0][name].dequantise() - parameter.detach().numpy()).max()
            assert difference <= reach * float(levels[0][name].steps[0]) * (1 + 1e-5)


def test_symbols_of_each_layer_divided_are_those_of_the_one_before(store: FrameStore) -> None:
    trainer = _trained(store, tiny_config(*_SETTINGS), steps=60)

    def quantised(model: Model, steps: Quantisation) -> dict[str, QuantisedTensor]:
        return {each.name: each for each in quantise_clip(model, trainer.latents, steps, Fraction(30))[0]}

    def size_of(model: Model, steps: Quantisation) -> int:
        return sum(_bytes([quantised(model, steps)]))

    first = quantised(*train_layer(trainer, None, 9, 3000, size_of, _unwatched))
    second = quantised(*train_layer(trainer, first, 3, 4000, size_of, _unwatched))
    refit(trainer, second, size_of, _unwatched)
    last = quantised(trainer.model, trainer.rate.quantisation)
    assert any(second[name].symbols.any() for name in filter(is_plane, second))
    for coarser, finer in ((first, second), (second, last)):
        for name in filter(is_plane, coarser):
            assert float(coarser[name].steps[0] / finer[name].steps[0]) == pytest.approx(3, rel=1e-5)
            np.testing.assert_array_equal(coarsen(finer[name], 3).symbols, coarser[name].symbols)


@pytest.mark.parametrize(
    ("shares", "planned"),
    [
        ([0.7], [(0.7, 3)]),
        ([0.23], [(0.23, 5)]),
        ([0.1, 0.35], [(0.1, 9), (0.35, 3)]),
        ([0.05, 0.2], [(0.05, 25), (0.2, 5)]),
        ([0.22, 0.3], [(0.3, 3)]),
        ([0.1, 0.2, 0.3, 0.4], [(0.1, 9), (0.4, 3)]),
    ],
)
def test_wider_steps_are_odd_multiples_of_the_next(
    shares: list[float], planned: list[tuple[float, int]]
) -> None:
    assert plan_layers(shares) == planned


def test_networks_are_stored_once(finished: Model, levels: Levels) -> None:
    networks = [name for name, _ in finished.named_parameters() if not is_plane(name)]
    assert networks
    assert all(levels[0][name] is levels[1][name] for name in networks)


def test_all_layers_take_little_more_than_one(levels: Levels) -> None:
    assert sum(_bytes(levels)) < 1.15 * _bytes(levels[-1:])[0]


def test_a_layer_takes_its_share_of_the_file(trainer: Trainer, levels: Levels) -> None:
    alone = _bytes(levels[-1:])[0]
    share = trainer.config.layers.budget[0] * 1.03 * alone
    assert 0.75 * share < _bytes(levels)[0] < 1.25 * share


def test_it_shows_more_than_a_division_of_what_was_finished_before(
    store: FrameStore, trainer: Trainer, finished: Model, levels: Levels
) -> None:
    space = choose_space([store.cameras[view] for view in _VIEWS], [2.0] * 3, [8.0] * 3)
    validator = HeldOutValidator(store, _VIEWS, space, trainer.config.sampling, "cpu")
    model = build_model("planes", settings_record(trainer.config.planes)).requires_grad_(False)
    steps = trainer.rate.quantisation
    before, latents = quantise_clip(finished, trainer.latents, steps, Fraction(30))

    def psnr(level: dict[str, QuantisedTensor]) -> float:
        load_weights(model, {name: tensor.dequantise() for name, tensor in level.items()})
        found = validator.mean_psnr(model, dequantised_latents(latents), lambda *_: None)
        assert found is not None
        return found

    wide, narrow = (level["fine.static.0"].steps[0] for level in levels)
    factor = round(float(wide / narrow))
    divided = {each.name: coarsen(each, factor) if is_plane(each.name) else each for each in before}
    assert psnr(levels[0]) > psnr(divided)


def test_training_layers_changes_nothing_of_the_model_but_its_planes(store: FrameStore) -> None:
    trainer = _trained(store, tiny_config(*_SETTINGS, "layers.budget=0.7,1"), steps=4)
    before = {name: array.copy() for name, array in trainer.export()[1].items()}
    assert _layers(trainer).factors == (3,)
    for name, array in trainer.export()[1].items():
        if not (name.startswith("model/") and is_plane(name.removeprefix("model/"))):
            np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_layers_are_the_same_each_time(store: FrameStore) -> None:
    trainers = [_trained(store, tiny_config(*_SETTINGS, "layers.budget=0.7,1"), steps=4) for _ in range(2)]
    (first, _), (second, _) = (_layers(trainer).levels(_final(trainer)) for trainer in trainers)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        np.testing.assert_array_equal(tensor.symbols, second[name].symbols)


@pytest.mark.parametrize(
    "settings", [("layers.budget=1",), ("layers.budget=0.01,1",)], ids=["no shares", "too small a share"]
)
def test_without_a_layer_to_train_layers_are_made_by_division(
    store: FrameStore, settings: tuple[str, ...]
) -> None:
    trainer = _trained(store, tiny_config(*_SETTINGS, *settings), steps=4)
    final = _final(trainer)
    for found, expected in zip(_layers(trainer).levels(final), layered_weights(final), strict=True):
        for name, tensor in expected.items():
            np.testing.assert_array_equal(found[name].symbols, tensor.symbols)
