"""Evaluates a stack of planes and its network with CPU kernels; threads share the samples in parts."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.backends.folded_planes import FoldedStack
from dynerf_decoder.kernels import look_up, network
from dynerf_decoder.threads import in_threads

_PART = 2**13  # samples; a multiple of network.ROWS


def decode(stack: FoldedStack, points: Float[Tensor, "frame point 3"]) -> Float[Tensor, "frame point output"]:
    """Raw outputs of a stack's network at cube points."""
    frames, count, _ = points.shape
    outputs, features = stack.out_weight.shape[0], stack.hidden_weight.shape[1]
    width, last = hidden_lanes(len(stack.hidden_weight)), output_lanes(outputs)
    rows = -(-count // network.ROWS) * network.ROWS  # padded to whole blocks
    weights = flat(padded(stack.hidden_weight, (width, features)).T)
    biases = padded(stack.hidden_bias, (frames, width)).numpy()
    ends = flat(padded(stack.out_weight, (last, width)).T), flat(padded(stack.out_bias, (last,)))
    out = np.empty((frames, rows * last), np.float32)
    positions, planes = points.contiguous().numpy(), [_frames(each) for each in stack.planes]

    def fill(part: tuple[int, int]) -> None:
        frame, start = part
        size = min(_PART, rows - start)
        gathered, hidden = np.zeros(size * features, np.float32), np.empty(size * width, np.float32)
        for index, (values, each) in enumerate(zip(planes, stack.planes, strict=True)):
            channels = each.shape[-1]
            look_up.products(
                lane_type(channels), values[frame], each.shape[2], positions[frame, start : start + size],
                gathered, index * channels, features,
            )  # fmt: skip
        network.forward(
            lane_type(last), gathered, features, weights, biases[frame], *ends, hidden,
            out[frame, start * last : (start + size) * last],
        )  # fmt: skip

    in_threads(fill, [(frame, start) for frame in range(frames) for start in range(0, rows, _PART)])
    return torch.from_numpy(out).view(frames, rows, last)[:, :count, :outputs]


def lane_type(count: int) -> tuple[np.float32, ...]:
    """The tuple whose length is the number of lanes."""
    return (np.float32(0),) * count


def hidden_lanes(units: int) -> int:
    """The number of hidden units, rounded up to whole blocks of lanes."""
    return -(-units // network.WIDTH) * network.WIDTH


def output_lanes(outputs: int) -> int:
    """The number of outputs, rounded up to what one instruction processes."""
    return 4 if outputs <= 4 else -(-outputs // 8) * 8


def padded(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor padded with zeros at the ends of its axes."""
    result = values.new_zeros(shape)
    result[tuple(slice(size) for size in values.shape)] = values.detach()
    return result


def flat(values: Tensor) -> np.ndarray:
    """A tensor's values as a flat array."""
    array: np.ndarray = values.detach().reshape(-1).numpy()
    return array


def _frames(values: Tensor) -> np.ndarray:
    """A flat array for each frame."""
    array: np.ndarray = values.detach().flatten(start_dim=1).numpy()
    return array
