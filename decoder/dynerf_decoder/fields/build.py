"""From the file's field record to a model, and its weights into it. Every value is checked first."""

import dataclasses
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import torch

from dynerf_format.errors import FormatError, LimitError

from .field import Model
from .mlp import MlpModel, MlpSettings
from .planes import PlanesModel, PlanesSettings

_KINDS: dict[str, tuple[type[Any], type[Any]]] = {
    "planes": (PlanesSettings, PlanesModel),
    "mlp": (MlpSettings, MlpModel),
}
_MOST_SIZE = 16384  # of any single setting
_MAY_BE_ZERO = ("basis", "view_features", "position_frequencies", "direction_frequencies", "skip")
_MOST_SCALES = 16
_MOST_PARAMETERS = 2**28  # 1 GiB of float32


def build_model(kind: str, settings: Mapping[str, object]) -> Model:
    """A model with untrained weights. Raises FormatError on nonsense, LimitError when huge."""
    if kind not in _KINDS:
        raise FormatError(f"header.field.kind: found {kind!r}, this decoder knows {', '.join(_KINDS)}")
    settings_type, model_type = _KINDS[kind]
    hints = get_type_hints(settings_type)
    values = {name: _checked(name, settings.get(name), hints[name]) for name in hints}
    try:
        with torch.device("meta"):
            count = sum(parameter.numel() for parameter in model_type(settings_type(**values)).parameters())
    except (ValueError, RuntimeError) as error:
        raise FormatError(f"header.field.settings: do not describe a {kind} field: {error}") from error
    if count > _MOST_PARAMETERS:
        raise LimitError(
            f"header.field.settings: {count} parameters, at most {_MOST_PARAMETERS} are accepted"
        )
    model: Model = model_type(settings_type(**values))
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
    """Put arrays into the model's parameters by name. Raises FormatError when names or shapes differ.

    A parameter without elements (a scale without basis planes) has no tensor in the file.
    """
    parameters = {name: p for name, p in model.named_parameters() if p.numel() > 0}
    if missing := sorted(parameters.keys() - weights.keys()):
        raise FormatError(f"weights: {missing[0]} is missing ({len(missing)} of {len(parameters)} are)")
    if extra := sorted(weights.keys() - parameters.keys()):
        raise FormatError(f"weights: {extra[0]} does not belong to this field")
    for name, parameter in parameters.items():
        found, expected = weights[name].shape, tuple(parameter.shape)
        if found != expected:
            raise FormatError(f"weights: {name} has shape {found}, expected {expected}")
        with torch.no_grad():
            parameter.copy_(torch.as_tensor(weights[name]))


def _checked(name: str, value: object, kind: Any) -> object:
    where = f"header.field.settings.{name}"
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= _MOST_SCALES:
            raise FormatError(f"{where}: found {value!r}, expected 1 to {_MOST_SCALES} whole numbers")
        return tuple(_checked(name, item, get_args(kind)[0]) for item in value)
    least = 0 if name in _MAY_BE_ZERO else 1
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST_SIZE:
        raise FormatError(f"{where}: found {value!r}, expected a whole number from {least} to {_MOST_SIZE}")
    return value
