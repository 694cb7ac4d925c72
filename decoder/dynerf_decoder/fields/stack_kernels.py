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
    """``hidden`` and ``outputs`` are filled up to whole lanes."""

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
        *planes: Tensor,
    ) -> Float[Tensor, "frame point output"]:
        width, last = hidden_lanes(len(first)), output_lanes(len(second))
        frames, count, _ = points.shape
        sizes = _Sizes(frames, count, first.shape[1], width, last)
        weights = _flat(padded(first, (width, sizes.features)).T)
        biases = padded(bias, (sizes.frames, width)).numpy()
        ends = _flat(padded(second, (last, width)).T), _flat(padded(offsets, (last,)))
        features = np.zeros((sizes.frames, sizes.rows * sizes.features), np.float32)
        hidden = np.empty((sizes.frames, sizes.rows * width), np.float32)
        out = np.empty((sizes.frames, sizes.rows * last), np.float32)
        positions, scales = points.contiguous().numpy(), [_frames(each) for each in planes]

        def fill(part: tuple[int, int, int]) -> None:
            frame, start, stop = part
            rows = slice(start, stop)
            mine = _rows(features[frame], rows, sizes.features)
            for index, values in enumerate(scales):
                channels = planes[index].shape[-1]
                look_up.products(
                    like(channels), values[frame], planes[index].shape[2], positions[frame, rows], mine,
                    index * channels, sizes.features,
                )  # fmt: skip
            network.forward(
                like(last), mine, sizes.features, weights, biases[frame], *ends,
                _rows(hidden[frame], rows, width), _rows(out[frame], rows, last),
            )  # fmt: skip

        in_threads(fill, sizes.parts())
        ctx.save_for_backward(points, first, second, *planes)
        ctx.sizes, ctx.features, ctx.hidden = sizes, features, hidden
        return torch.from_numpy(out).view(sizes.frames, sizes.rows, last)[:, : sizes.points, : len(second)]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        points, first, second, *planes = ctx.saved_tensors
        sizes, (given,) = ctx.sizes, gradients
        out = _frames(padded(given, (sizes.frames, sizes.rows, len(second))))
        transposed = _flat(padded(first, (sizes.hidden, sizes.features)))
        backwards = _flat(padded(second, (len(second), sizes.hidden)))
        to_features = np.empty_like(ctx.features)
        parts = sizes.parts()
        shapes = (sizes.features * sizes.hidden, sizes.hidden, len(backwards), len(second))
        sums = [np.zeros((len(parts), shape), np.float32) for shape in shapes]

        def network_part(index: int) -> None:
            frame, start, stop = parts[index]
            rows = slice(start, stop)
            network.backward(
                like(planes[0].shape[-1]), _rows(ctx.features[frame], rows, sizes.features),
                _rows(ctx.hidden[frame], rows, sizes.hidden), _rows(out[frame], rows, len(second)),
                transposed, backwards, np.empty(network.ROWS * sizes.hidden, np.float32),
                _rows(to_features[frame], rows, sizes.features), *(each[index] for each in sums),
            )  # fmt: skip

        in_threads(network_part, range(len(parts)))
        to_planes = _plane_gradients(points, planes, to_features, sizes.features)
        frame_of = np.array([frame for frame, _, _ in parts])
        to_bias = np.stack([sums[1][frame_of == frame].sum(axis=0) for frame in range(sizes.frames)])
        count = len(first)
        to_first = sums[0].sum(axis=0).reshape(sizes.features, -1).T[:count]
        to_second = sums[2].sum(axis=0).reshape(len(second), -1)[:, :count]
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
            like(channels), values[scale][frame], size, positions[frame], to_features[frame],
            scale * channels, stride, sums[scale][frame],
        )  # fmt: skip

    in_threads(fill, [(scale, frame) for scale in range(len(planes)) for frame in range(len(points))])
    return results


def like(count: int) -> tuple[np.float32, ...]:
    """What tells kernels how many lanes there are."""
    return (np.float32(0),) * count


def hidden_lanes(units: int) -> int:
    """So many that blocks of lanes are whole."""
    return -(-units // network.WIDTH) * network.WIDTH


def output_lanes(outputs: int) -> int:
    """As many lanes as an instruction works on."""
    return 4 if outputs <= 4 else -(-outputs // 8) * 8


def padded(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """With zeros at the ends of the axes."""
    result = values.new_zeros(shape)
    result[tuple(slice(size) for size in values.shape)] = values.detach()
    return result


def _flat(values: Tensor) -> np.ndarray:
    array: np.ndarray = values.detach().reshape(-1).numpy()
    return array


def _frames(values: Tensor) -> np.ndarray:
    """One flat array for each frame."""
    array: np.ndarray = values.detach().flatten(start_dim=1).numpy()
    return array


def _rows(flat: np.ndarray, rows: slice, width: int) -> np.ndarray:
    return flat[rows.start * width : rows.stop * width]
