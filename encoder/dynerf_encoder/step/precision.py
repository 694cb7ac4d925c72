"""Where matrix products of a training may be made in half precision."""

from contextlib import AbstractContextManager

import torch

from dynerf_decoder.render.fast import has_bfloat16
from dynerf_encoder.config.schema import FieldKind


def half_products(field: FieldKind, device: torch.device) -> AbstractContextManager[object]:
    """A context in which products of the ``mlp`` field are made in bfloat16, on a GPU that has it.

    Weights, sums and gradients of weights stay float32, and bfloat16 has float32's range: no loss needs to be
    scaled. ``planes`` stay in float32: their time goes into look-ups, which this leaves alone, and their
    texels' gradients are small sums of many. Nor does a CPU gain what it would cost in exactness.
    """
    enabled = field == "mlp" and device.type == "cuda" and has_bfloat16("cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)
