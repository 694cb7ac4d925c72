"""Rays of a folded ``planes`` model by kernels, for a CPU: see ``kernels.march``."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynerf_decoder.backends.cpu.kernels.histogram import SAMPLES
from dynerf_decoder.backends.cpu.kernels.march import march
from dynerf_decoder.backends.cpu.kernels.network import ROWS
from dynerf_decoder.backends.cpu.kernels.records import (
    Bounds,
    CoarseScratch,
    FineScratch,
    Grid,
    Grids,
    Rays,
    Rule,
    Slots,
    Stack,
    ViewNetwork,
    ViewScratch,
)
from dynerf_decoder.backends.cpu.kernels.shade import DIRECTION_NUMBERS
from dynerf_decoder.backends.folded_planes import FoldedStack
from dynerf_decoder.scene.contraction import RayIntervals
from dynerf_decoder.scene.ray_sampling import PADDING
from dynerf_format import CellGrid, Occupancy

from .plane_stack import flat, hidden_lanes, like, output_lanes, padded


@dataclass(frozen=True)
class CpuMarcher:
    """Both stacks of one frame and the view network as the kernel takes them, the coarse stack with a single
    output.

    """

    coarse: Stack
    fine: Stack
    view: ViewNetwork
    features: int
    grids: Grids
    bounds: Bounds

    @classmethod
    def of(
        cls,
        coarse: FoldedStack,
        fine: FoldedStack,
        view: nn.Sequential,
        occupancy: Occupancy | None,
        bounds: Bounds,
    ) -> "CpuMarcher":
        """Lay out the only frame of two stacks."""
        grids = (None, None) if occupancy is None else occupancy.grids
        cells = Grids(*map(_cells, grids))
        return cls(_stack(coarse), _stack(fine), _view(view), len(fine.out_weight) - 1, cells, bounds)

    def __call__(
        self,
        segments: RayIntervals,
        directions: Float[Tensor, "1 ray 3"],
        samples: tuple[int, int],
        opaque: float,
    ) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray"]]:
        """Colours of the rays of one frame, and the position behind which half of the light is.

        ``samples`` are numbers of coarse and fine ones; a ray ends at transmittance ``opaque``. Rays that
        miss are black.
        """
        rays = Rays(
            flat(segments.start[0]), flat((segments.end - segments.start)[0]), flat(segments.length()[0]),
            segments.hit[0].numpy(), flat(directions[0]),
        )  # fmt: skip
        count = len(rays[2])
        out, middles = np.empty(3 * count, np.float32), np.empty(count, np.float32)
        rule = Rule(self.bounds, np.float32(PADDING), np.float32(opaque))
        coarse, fine = samples
        march(
            self.coarse, self.fine, self.view, self.features, self.grids, rays, rule,
            self._coarse_scratch(coarse), *self._fine_scratch(), self._slots(fine), out, middles,
        )  # fmt: skip
        return torch.from_numpy(out).view(1, count, 3), torch.from_numpy(middles).unsqueeze(0)

    def _coarse_scratch(self, coarse: int) -> CoarseScratch:
        even = (np.arange(coarse, dtype=np.float32) + np.float32(0.5)) / np.float32(coarse)
        return CoarseScratch(
            _zeros(len(self.coarse.sizes) * len(self.coarse.like) * SAMPLES), even,
            np.zeros(coarse, np.int64), _zeros(SAMPLES), _zeros(-(-coarse // SAMPLES) * SAMPLES),
            _zeros(coarse),
        )  # fmt: skip

    def _fine_scratch(self) -> tuple[FineScratch, ViewScratch]:
        fine = self.fine
        sizes = len(fine.sizes) * len(fine.like), len(fine.bias), len(fine.outputs), 1
        view = ViewScratch(_zeros(self.features + DIRECTION_NUMBERS), _zeros(len(self.view.bias)))
        return FineScratch(*(_zeros(ROWS * size) for size in sizes)), view

    def _slots(self, fine: int) -> Slots:
        return Slots(
            _zeros(ROWS * (fine + 1)), _zeros(ROWS * len(self.fine.outputs)), _zeros(ROWS),
            np.zeros(ROWS, np.int64), np.zeros(ROWS, np.int64),
        )  # fmt: skip


def _stack(stack: FoldedStack) -> Stack:
    single = len(stack.out_weight) == 1
    units, outputs = (
        hidden_lanes(len(stack.hidden_weight)),
        1 if single else output_lanes(len(stack.out_weight)),
    )
    sizes = np.array([each.shape[2] for each in stack.planes])
    features = stack.hidden_weight.shape[1]
    return Stack(
        tuple(flat(each[0]) for each in stack.planes), sizes, like(stack.planes[0].shape[-1]),
        flat(padded(stack.hidden_weight, (units, features)).T), flat(padded(stack.hidden_bias[0],
        (units,))), like(outputs), flat(padded(stack.out_weight, (outputs, units)).T),
        flat(padded(stack.out_bias, (outputs,))),
    )  # fmt: skip


def _cells(grid: CellGrid | None) -> Grid:
    if grid is None:
        return Grid(np.zeros(1, np.uint8), 0)
    return Grid(grid.bits.copy(), grid.size)  # writable, as kernels are compiled for


def _view(view: nn.Sequential) -> ViewNetwork:
    first, _, last = view
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    units, inputs = hidden_lanes(first.out_features), first.in_features
    return ViewNetwork(
        flat(padded(first.weight, (units, inputs)).T), flat(padded(first.bias, (units,))),
        flat(padded(last.weight, (3, units))), flat(last.bias),
    )  # fmt: skip


def _zeros(count: int) -> np.ndarray:
    return np.zeros(count, np.float32)
