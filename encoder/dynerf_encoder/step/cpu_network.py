"""One of the three networks of a ``planes`` model as arrays for the kernels, and its gradients from them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dynerf_decoder.backends.cpu.plane_stack import flat, hidden_lanes, lane_type, padded
from dynerf_decoder.kernels.fold import PLANES
from dynerf_encoder.kernels.ray_pass import BLOCK
from dynerf_encoder.kernels.records import NetworkArrays, NetworkGradients, RayScratch, SampleScratch


@dataclass(frozen=True)
class TrainedNetwork:
    """A network's parameters; ``lanes`` is the padded number of outputs."""

    first: torch.nn.Linear
    second: torch.nn.Linear
    lanes: int

    @property
    def stride(self) -> int:
        return -(-self.first.in_features // 4) * 4

    @property
    def width(self) -> int:
        return hidden_lanes(self.first.out_features)

    def arrays(self, bias: Tensor, view_features: int = 0) -> NetworkArrays:
        """The ``records.NetworkArrays`` for the kernels."""
        first = padded(self.first.weight, (self.width, self.stride))
        second = padded(self.second.weight, (self.lanes, self.width))
        return NetworkArrays(
            lane_type(self.lanes), self.stride, flat(first.T), flat(padded(bias, (self.width,))),
            flat(second.T), flat(padded(self.second.bias, (self.lanes,))), flat(first), flat(second),
            self.second.out_features, view_features, lane_type(4 if self.stride % 8 else 8),
        )  # fmt: skip

    def sums(self, parts: int) -> NetworkGradients:
        """Arrays of zeros for the gradients of each part."""
        shapes = (self.stride * self.width, self.width, self.lanes * self.width, self.lanes)
        return NetworkGradients(*(np.zeros((parts, shape), np.float32) for shape in shapes))

    def set_gradients(self, sums: NetworkGradients) -> None:
        """Add up the parts' gradients and set them, except that of the hidden layer's bias."""
        inputs, units, outputs = (
            self.first.in_features, self.first.out_features, self.second.out_features,
        )  # fmt: skip
        first = sums.weights.sum(axis=0).reshape(self.stride, self.width)[:inputs, :units].T
        second = sums.out_weights.sum(axis=0).reshape(self.lanes, self.width)[:outputs, :units]
        self.first.weight.grad = torch.from_numpy(first.copy())
        self.second.weight.grad = torch.from_numpy(second.copy())
        self.second.bias.grad = torch.from_numpy(sums.out_bias.sum(axis=0)[:outputs])

    def sample_scratch(self, rows: int, channels: int, scales: int) -> SampleScratch:
        """Scratch arrays for the samples of a block."""
        sizes = (
            PLANES * channels * scales, self.stride, self.width, self.lanes, self.width, self.lanes,
            self.stride, self.lanes,
        )  # fmt: skip
        return SampleScratch(*(np.zeros(rows * size, np.float32) for size in sizes))

    def ray_scratch(self, lanes: int) -> RayScratch:
        """Scratch arrays of the view network for a block's rays; features are summed in ``lanes``."""
        sizes = (self.stride, self.width, self.lanes, self.width, self.lanes, self.stride, lanes)
        return RayScratch(*(np.zeros(BLOCK * size, np.float32) for size in sizes))
