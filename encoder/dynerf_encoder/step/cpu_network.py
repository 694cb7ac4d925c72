"""One of the three networks of a ``planes`` model as kernels take it, and its gradients as they give them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dynerf_decoder.backends.cpu.plane_stack import flat, hidden_lanes, lane_type, padded
from dynerf_encoder.step.kernels.ray_pass import BLOCK
from dynerf_encoder.step.kernels.records import Network, NetworkSums, RayScratch, SampleScratch
from dynerf_encoder.step.kernels.samples import PLANES


@dataclass(frozen=True)
class TrainedNetwork:
    """A network's parameters and how many lanes they are filled up to."""

    first: torch.nn.Linear
    second: torch.nn.Linear
    lanes: int

    @property
    def stride(self) -> int:
        return -(-self.first.in_features // 4) * 4

    @property
    def width(self) -> int:
        return hidden_lanes(self.first.out_features)

    def arrays(self, bias: Tensor, view_features: int = 0) -> Network:
        """As ``kernels.layers`` takes them."""
        first = padded(self.first.weight, (self.width, self.stride))
        second = padded(self.second.weight, (self.lanes, self.width))
        return Network(
            lane_type(self.lanes), self.stride, flat(first.T), flat(padded(bias, (self.width,))),
            flat(second.T), flat(padded(self.second.bias, (self.lanes,))), flat(first), flat(second),
            self.second.out_features, view_features, lane_type(4 if self.stride % 8 else 8),
        )  # fmt: skip

    def sums(self, parts: int) -> NetworkSums:
        """Room for the gradients of each part."""
        shapes = (self.stride * self.width, self.width, self.lanes * self.width, self.lanes)
        return NetworkSums(*(np.zeros((parts, shape), np.float32) for shape in shapes))

    def accept(self, sums: NetworkSums) -> None:
        """Make the parts' sums gradients, but for the bias of the hidden layer."""
        inputs, units, outputs = (
            self.first.in_features, self.first.out_features, self.second.out_features,
        )  # fmt: skip
        first = sums.weights.sum(axis=0).reshape(self.stride, self.width)[:inputs, :units].T
        second = sums.out_weights.sum(axis=0).reshape(self.lanes, self.width)[:outputs, :units]
        self.first.weight.grad = torch.from_numpy(first.copy())
        self.second.weight.grad = torch.from_numpy(second.copy())
        self.second.bias.grad = torch.from_numpy(sums.out_bias.sum(axis=0)[:outputs])

    def room(self, rows: int, channels: int, scales: int) -> SampleScratch:
        """For a block's rows."""
        sizes = (
            PLANES * channels * scales, self.stride, self.width, self.lanes, self.width, self.lanes,
            self.stride, self.lanes,
        )  # fmt: skip
        return SampleScratch(*(np.zeros(rows * size, np.float32) for size in sizes))

    def ray_room(self, lanes: int) -> RayScratch:
        """For a block's rays and the view network, after features summed in ``lanes``."""
        sizes = (self.stride, self.width, self.lanes, self.width, self.lanes, self.stride, lanes)
        return RayScratch(*(np.zeros(BLOCK * size, np.float32) for size in sizes))
