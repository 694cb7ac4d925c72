"""A stack of planes and its network by kernels: look-up, network and their gradients, for a CPU.

Samples are cut into parts that threads take. A part adds up gradients of its own for the network's weights,
and a scale of a frame's planes has one thread, so sums have one order whatever the number of threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.kernels import look_up, network
from dynerf_decoder.threads import in_threads

_PART = 2**13  # samples; a multiple of network.ROWS


@dataclass(frozen=True)
class _Sizes:
    frames: int
    points: int
    features: int
    hidden: int
    outputs: int

    @property
    def rows(self) -> int:
        """Samples of a frame, filled up to whole blocks."""
        return -(-self.points // network.ROWS) * network.ROWS

    def parts(self) -> list[tuple[int, int, int]]:
        """Frame, first and last sample (filled up) of each part."""
        return [
            (frame, start, min(start + _PART, self.rows))
            for frame in range(self.frames)
            for start in range(0, self.rows, _PART)
        ]


class Decoded(torch.autograd.Function):
    """Raw outputs of a stack's network at points; differentiable in weights and planes, not in the points.

    Planes are (frame, 3, row, column, channel) float32 with the same number of channels at every scale.
    """

    @staticmethod
    def forward(
        ctx: Any,
        points: Float[Tensor, "frame point 3"],
        first: Float[Tensor, "hidden feature"],
        bias: Float[Tensor, "frame hidden"],
        second: Float[Tensor, "output hidden"],
        offsets: Float[Tensor, " output"],
        *planes: Float[Tensor, "frame 3 row column channel"],
    ) -> Float[Tensor, "frame point output"]:
        width = -(-len(first) // network.WIDTH) * network.WIDTH
        sizes = _Sizes(*points.shape[:2], first.shape[1], width, len(second))
        padded = (_padded(first, width, 0).T.contiguous(), _padded(bias, width, 1), _padded(second, width, 1))
        weights = [_flat(each) for each in padded]
        features = np.zeros((sizes.frames, sizes.rows * sizes.features), np.float32)
        hidden = np.empty((sizes.frames, sizes.rows * width), np.float32)
        out = np.empty((sizes.frames, sizes.rows * sizes.outputs), np.float32)
        positions, scales = points.contiguous().numpy(), [_frames(each) for each in planes]
        last = offsets.detach().numpy()

        def fill(part: tuple[int, int, int]) -> None:
            frame, start, stop = part
            rows = slice(start, stop)
            mine = _rows(features[frame], rows, sizes.features)
            for index, values in enumerate(scales):
                look_up.products(
                    _like(planes[index]), values[frame], planes[index].shape[2], positions[frame, rows],
                    mine, index * planes[index].shape[-1], sizes.features,
                )  # fmt: skip
            network.forward(
                mine, sizes.features, weights[0], padded[1][frame].numpy(), weights[2], last,
                _rows(hidden[frame], rows, width), _rows(out[frame], rows, sizes.outputs),
            )  # fmt: skip

        in_threads(fill, sizes.parts())
        ctx.save_for_backward(points, first, second, *planes)
        ctx.sizes, ctx.features, ctx.hidden = sizes, features, hidden
        return torch.from_numpy(out).view(sizes.frames, sizes.rows, -1)[:, : sizes.points]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        points, first, second, *planes = ctx.saved_tensors
        sizes, (given,) = ctx.sizes, gradients
        filled = given.new_zeros(sizes.frames, sizes.rows, sizes.outputs)
        filled[:, : sizes.points] = given
        out = filled.flatten(start_dim=1).numpy()
        transposed, backwards = _flat(_padded(first, sizes.hidden, 0)), _flat(_padded(second, sizes.hidden, 1))
        to_features = np.empty_like(ctx.features)
        parts = sizes.parts()
        shapes = (sizes.features * sizes.hidden, sizes.hidden, sizes.outputs * sizes.hidden, sizes.outputs)
        sums = [np.zeros((len(parts), shape), np.float32) for shape in shapes]

        def network_part(index: int) -> None:
            frame, start, stop = parts[index]
            rows = slice(start, stop)
            network.backward(
                _like(planes[0]), _rows(ctx.features[frame], rows, sizes.features),
                _rows(ctx.hidden[frame], rows, sizes.hidden), _rows(out[frame], rows, sizes.outputs),
                transposed, backwards, _rows(to_features[frame], rows, sizes.features),
                *(each[index] for each in sums),
            )  # fmt: skip

        in_threads(network_part, range(len(parts)))
        to_planes = _plane_gradients(points, planes, to_features, sizes.features)
        frame_of = np.array([frame for frame, _, _ in parts])
        to_bias = np.stack([sums[1][frame_of == frame].sum(axis=0) for frame in range(sizes.frames)])
        count = len(first)
        to_first = sums[0].sum(axis=0).reshape(sizes.features, -1).T[:count]
        to_second = sums[2].sum(axis=0).reshape(sizes.outputs, -1)[:, :count]
        weights = (to_first, to_bias[:, :count], to_second, sums[3].sum(axis=0))
        return None, *(torch.from_numpy(np.ascontiguousarray(each)) for each in weights), *to_planes


def _plane_gradients(
    points: Tensor, planes: Sequence[Tensor], to_features: np.ndarray, stride: int
) -> list[Tensor]:
    results = [torch.zeros_like(each, memory_format=torch.contiguous_format) for each in planes]
    positions = points.contiguous().numpy()
    values, sums = [_frames(each) for each in planes], [_frames(each) for each in results]

    def fill(part: tuple[int, int]) -> None:
        scale, frame = part
        *_, size, channels = planes[scale].shape
        look_up.add_gradients(
            _like(planes[scale]), values[scale][frame], size, positions[frame], to_features[frame],
            scale * channels, stride, sums[scale][frame],
        )  # fmt: skip

    in_threads(fill, [(scale, frame) for scale in range(len(planes)) for frame in range(len(points))])
    return results


def _like(planes: Tensor) -> tuple[np.float32, ...]:
    """What tells kernels how many lanes there are."""
    return (np.float32(0),) * planes.shape[-1]


def _flat(values: Tensor) -> np.ndarray:
    array: np.ndarray = values.detach().reshape(-1).numpy()
    return array


def _frames(values: Tensor) -> np.ndarray:
    """One flat array for each frame."""
    array: np.ndarray = values.detach().flatten(start_dim=1).numpy()
    return array


def _rows(flat: np.ndarray, rows: slice, width: int) -> np.ndarray:
    return flat[rows.start * width : rows.stop * width]


def _padded(values: Tensor, size: int, axis: int) -> Tensor:
    """With zeros up to ``size`` along an axis."""
    missing = [0, 0] * (values.ndim - 1 - axis) + [0, size - values.shape[axis]]
    return torch.nn.functional.pad(values.detach(), missing).contiguous()
