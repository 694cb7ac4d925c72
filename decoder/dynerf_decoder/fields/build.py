"""Builds a model from the file's field record and loads its weights. Every value is checked first."""

import dataclasses
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import torch

from dynerf_format import QuantisedTensor
from dynerf_format.errors import FormatError, LimitError
from dynerf_format.values import is_integer

from .field import Model
from .mlp import MlpModel, MlpSettings
from .planes import PlanesModel, PlanesSettings

_KINDS: dict[str, tuple[type[Any], type[Any]]] = {
    "planes": (PlanesSettings, PlanesModel),
    "mlp": (MlpSettings, MlpModel),
}
_MAX_SIZE = 16384  # of a setting that has no limit of its own
_MAX = {"depth": 64, "position_frequencies": 32, "direction_frequencies": 32, "networks": 2}
_DEFAULTS = {"networks": 2}  # for files that lack the key
_MIN = {
    "basis": 0, "view_features": 0, "skip": 0, "position_frequencies": 0, "direction_frequencies": 0,
    "width": 2,
}  # fmt: skip
_MAX_SCALES = 16
_MAX_PARAMETERS = 2**28  # 1 GiB of float32


def build_model(kind: str, settings: Mapping[str, object]) -> Model:
    """A model with untrained weights. Raises FormatError on invalid settings, LimitError on a huge model."""
    _meta_model(kind, settings)
    return _model(kind, settings)


def load_model(kind: str, settings: Mapping[str, object], weights: Mapping[str, QuantisedTensor]) -> Model:
    """The model of a file; nothing of its size is allocated until the weights are known to fit the settings.

    Raises FormatError when settings are invalid or do not fit the weights, LimitError on a huge model.
    """
    _check_fit(_meta_model(kind, settings), {name: tensor.symbols.shape for name, tensor in weights.items()})
    model = _model(kind, settings)
    load_weights(model, {name: tensor.dequantise() for name, tensor in weights.items()})
    return model


def _model(kind: str, settings: Mapping[str, object]) -> Model:
    settings_type, model_type = _KINDS[kind]
    hints = get_type_hints(settings_type)
    model: Model = model_type(
        settings_type(
            **{name: _checked(name, settings.get(name, _DEFAULTS.get(name)), hints[name]) for name in hints}
        )
    )
    return model


def _meta_model(kind: str, settings: Mapping[str, object]) -> Model:
    """The model on the meta device, without memory for its parameters. Raises for any invalid setting."""
    if kind not in _KINDS:
        raise FormatError(f"header.field.kind: found {kind!r}, this decoder supports {', '.join(_KINDS)}")
    try:
        with torch.device("meta"):
            model = _model(kind, settings)
    except (ValueError, RuntimeError) as error:
        raise FormatError(f"header.field.settings: do not describe a {kind} field: {error}") from error
    count = sum(parameter.numel() for parameter in model.parameters())
    if count > _MAX_PARAMETERS:
        raise LimitError(f"header.field.settings: {count} parameters, at most {_MAX_PARAMETERS} are accepted")
    return model


def settings_record(settings: object) -> dict[str, Any]:
    """Settings as plain values for the file's field record."""
    assert dataclasses.is_dataclass(settings)
    assert not isinstance(settings, type)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(settings).items()
    }


def load_weights(model: Model, weights: Mapping[str, np.ndarray]) -> None:
    """Copy arrays into the model's parameters by name. Raises FormatError when names or shapes differ.

    A parameter without elements (a scale without basis planes) has no tensor in the file.
    """
    _check_fit(model, {name: array.shape for name, array in weights.items()})
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.numel() > 0:
                parameter.copy_(torch.as_tensor(weights[name]))


def _check_fit(model: Model, shapes: Mapping[str, tuple[int, ...]]) -> None:
    parameters = {name: p for name, p in model.named_parameters() if p.numel() > 0}
    if missing := sorted(parameters.keys() - shapes.keys()):
        raise FormatError(f"weights: {missing[0]} is missing ({len(missing)} of {len(parameters)} are)")
    if extra := sorted(shapes.keys() - parameters.keys()):
        raise FormatError(f"weights: {extra[0]} does not belong to this field")
    for name, parameter in parameters.items():
        found, expected = shapes[name], tuple(parameter.shape)
        if found != expected:
            raise FormatError(f"weights: {name} has shape {found}, expected {expected}")


def _checked(name: str, value: object, kind: Any) -> object:
    where = f"header.field.settings.{name}"
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= _MAX_SCALES:
            raise FormatError(
                f"{where}: found {repr(value)[:40]}, expected a list of 1 to {_MAX_SCALES} whole numbers"
            )
        return tuple(_checked(name, item, get_args(kind)[0]) for item in value)
    least, most = _MIN.get(name, 1), _MAX.get(name, _MAX_SIZE)
    if not is_integer(value, least, most):
        raise FormatError(
            f"{where}: found {repr(value)[:40]}, expected a whole number from {least} to {most}"
        )
    return value
