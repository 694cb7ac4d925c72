"""The shapes of a field's tensors, from the settings in the header alone (``format/SPEC.md``, 14.4 and 14.5).

Used to count a segment's weights; nothing is read or allocated.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dynerf_format.values import is_integer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .records import FieldRecord

_INTEGER_MAX = 2**64 - 1  # of msgpack
_ITEMS_MAX = 64  # scales of a list, and layers of a network: decoders refuse more


def tensor_shapes(field: FieldRecord) -> dict[str, tuple[int, ...]] | None:
    """Name and shape of each tensor of a segment; None for an unknown kind of field or invalid settings.

    A tensor without elements is not in the file and is left out.
    """
    try:
        shapes = _KINDS[field.kind](field.settings)
    except (KeyError, TypeError, ValueError):
        return None
    return {name: shape for name, shape in shapes.items() if math.prod(shape) > 0}


def _planes(settings: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
    latent, view = _whole(settings["latent"]), _whole(settings["view_hidden"])
    features = 3 + _whole(settings["view_features"])
    fine = _stack(
        latent, _list(settings["scales"]), _list(settings["basis"]), _whole(settings["channels"]),
        _whole(settings["hidden"]), 1 + features,
    )  # fmt: skip
    coarse = _stack(
        latent, [_whole(settings["coarse_scale"])], [_whole(settings["coarse_basis"])],
        _whole(settings["coarse_channels"]), _whole(settings["coarse_hidden"]), 1,
    )  # fmt: skip
    return {
        **{f"fine.{name}": shape for name, shape in fine.items()},
        **{f"coarse.{name}": shape for name, shape in coarse.items()},
        **_linear("view.0", features + _encoding_length(2), view),
        **_linear("view.2", view, 3),
    }


def _stack(
    latent: int, scales: list[int], basis: list[int], channels: int, hidden: int, outputs: int
) -> dict[str, tuple[int, ...]]:
    planes: dict[str, tuple[int, ...]] = {}
    for n, (size, count) in enumerate(zip(scales, basis, strict=True)):
        planes[f"static.{n}"] = (3, channels, size, size)
        planes[f"basis.{n}"] = (count, 3, channels, size, size)
    return {
        **planes,
        **_linear("mix", latent, sum(basis)),
        **_linear("hidden", len(scales) * channels, hidden),
        "hidden_latent.weight": (hidden, latent),
        **_linear("out", hidden, outputs),
    }


def _mlp(settings: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
    width, skip = _whole(settings["width"]), _whole(settings["skip"])
    inputs_width = _encoding_length(_whole(settings["position_frequencies"])) + _whole(settings["latent"])
    network: dict[str, tuple[int, ...]] = {}
    for n in range(_bounded(settings["depth"])):
        network |= _linear(
            f"layers.{n}", inputs_width if n == 0 else width + inputs_width * (n == skip), width
        )
    network |= _linear("density", width, 1) | _linear("feature", width, width)
    network |= _linear(
        "view", width + _encoding_length(_whole(settings["direction_frequencies"])), width // 2
    )
    network |= _linear("rgb", width // 2, 3)
    names = ("fine", "coarse")[: _whole(settings.get("networks", 2))]
    return {f"{name}.{tensor}": shape for name in names for tensor, shape in network.items()}


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _encoding_length(frequencies: int) -> int:
    """The length of the encoding e_L of a 3-vector (SPEC 14.3)."""
    return 3 + 6 * frequencies


def _whole(value: object) -> int:
    if not is_integer(value, 0, _INTEGER_MAX):
        raise TypeError("not a whole number")
    return value


def _bounded(value: object) -> int:
    if (number := _whole(value)) > _ITEMS_MAX:
        raise ValueError("too many")
    return number


def _list(value: object) -> list[int]:
    if not isinstance(value, list | tuple) or len(value) > _ITEMS_MAX:
        raise TypeError("not a list of whole numbers")
    return [_whole(item) for item in value]


_KINDS = {"planes": _planes, "mlp": _mlp}
