"""Which matrix products of a training are computed in half precision."""

from contextlib import AbstractContextManager

import torch

from dynerf_decoder.render.fast import has_bfloat16
from dynerf_encoder.config.schema import FieldKind


def half_precision_products(field: FieldKind, device: torch.device) -> AbstractContextManager[object]:
    """A context in which products of the ``mlp`` field are computed in bfloat16, on a GPU that supports it.

    Weights, sums and gradients of weights stay float32, and bfloat16 has float32's range, so no loss scaling
    is needed. ``planes`` stay in float32: most of their time is spent in look-ups, which this does not
    affect, and their texels' gradients are sums of many small terms. On a CPU the gain would not justify the
    lost accuracy.
    """
    enabled = field == "mlp" and device.type == "cuda" and has_bfloat16("cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)
