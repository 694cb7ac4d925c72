"""Marches rays through a folded ``planes`` model with CPU kernels; see ``kernels.march``."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynerf_decoder.backends.folded_planes import FoldedStack
from dynerf_decoder.kernels.histogram import SAMPLES
from dynerf_decoder.kernels.march import SLOTS, march
from dynerf_decoder.kernels.occupancy import LANES
from dynerf_decoder.kernels.records import (
    Bounds,
    CellBits,
    CoarseScratch,
    FineScratch,
    MarchGrids,
    MarchRays,
    MarchSettings,
    Slots,
    Stack,
    ViewNetwork,
    ViewScratch,
)
from dynerf_decoder.kernels.shade import DIRECTION_NUMBERS
from dynerf_decoder.scene.contraction import RayIntervals
from dynerf_decoder.scene.ray_sampling import PADDING
from dynerf_format import CellGrid, Occupancy

from .plane_stack import flat, hidden_lanes, lane_type, output_lanes, padded

_OPAQUE = 1e-30  # behind a ray's last interval, which is opaque, the transmittance is at most this


@dataclass(frozen=True)
class CpuMarcher:
    """The stacks and view network of one frame, laid out for the kernel; the coarse stack has one output."""

    coarse: Stack
    fine: Stack
    view: ViewNetwork
    features: int
    grids: MarchGrids
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
        """Lay out two stacks that hold one frame."""
        grids = (None, None) if occupancy is None else occupancy.grids
        cells = MarchGrids(*map(_cell_bits, grids))
        return cls(_stack(coarse), _stack(fine), _view(view), len(fine.out_weight) - 1, cells, bounds)

    def __call__(
        self,
        intervals: RayIntervals,
        directions: Float[Tensor, "1 ray 3"],
        samples: tuple[int, int],
        min_transmittance: float,
    ) -> tuple[Float[Tensor, "1 ray 3"], Float[Tensor, "1 ray"]]:
        """Colours of one frame's rays, and the positions at which half of their light is absorbed.

        ``samples`` are the numbers of coarse and fine samples. A ray ends at ``min_transmittance``. Rays that
        miss are black.
        """
        rays = MarchRays(*map(flat, (intervals.start[0], intervals.end[0], intervals.hit[0], directions[0])))
        count = len(rays.hit)
        out, medians = np.empty(3 * count, np.float32), np.empty(count, np.float32)
        settings = MarchSettings(self.bounds, np.float32(max(min_transmittance, _OPAQUE)))
        coarse, fine = samples
        march(
            self.coarse, self.fine, self.view, self.features, self.grids, rays, settings,
            coarse_scratch(coarse, fine), *self._fine_scratch(), self._slots(fine), out, medians,
        )  # fmt: skip
        return torch.from_numpy(out).view(1, count, 3), torch.from_numpy(medians).unsqueeze(0)

    def _fine_scratch(self) -> tuple[FineScratch, ViewScratch]:
        fine = self.fine
        view = ViewScratch(_zeros(self.features + DIRECTION_NUMBERS + 1), _zeros(len(self.view.bias)))
        sizes = len(fine.sizes) * len(fine.channels), len(fine.bias), len(fine.outputs)
        scratch = FineScratch(_whole(3 * SLOTS), _zeros(3 * SLOTS), *(_zeros(SLOTS * size) for size in sizes))
        return scratch, view

    def _slots(self, fine: int) -> Slots:
        room = SLOTS * (_blocks(fine) + LANES)  # a block more: the far edge, and the last interval if chosen
        floats = {name: _zeros(SLOTS) for name in ("lengths", "walls", "weights", "transmittance", "medians")}
        whole = {name: _whole(SLOTS) for name in ("steps", "places", "rays", "done")}
        return Slots(
            intervals=fine, starts=_zeros(3 * SLOTS), directions=_zeros(3 * SLOTS), edges=_zeros(room),
            middles=_zeros(room), chosen=_whole(room), ends=_whole(SLOTS) + 1, cells=_whole(LANES),
            totals=_zeros(SLOTS * len(self.fine.outputs)), **floats, **whole,
        )  # fmt: skip


def coarse_scratch(coarse: int, fine: int) -> CoarseScratch:
    """Buffers of rays with so many coarse and fine samples."""
    block, drawn = _blocks(coarse), fine + 1
    positions = (np.arange(block + SAMPLES, dtype=np.float32) + np.float32(0.5)) / np.float32(coarse)
    even = (1 + PADDING * np.arange(1, block + 1) / coarse) / (1 + PADDING)
    targets = (np.arange(_blocks(drawn), dtype=np.float32) + np.float32(0.5)) * np.float32(1 / drawn)
    return CoarseScratch(
        samples=coarse, positions=positions, chosen=_whole(block + SAMPLES), cells=_whole(LANES),
        texels=_whole(3 * SAMPLES), fractions=_zeros(3 * SAMPLES), densities=_zeros(SAMPLES),
        depths=_zeros(block + SAMPLES), even=even.astype(np.float32), gain=np.float32(-1 / (1 + PADDING)),
        shares=_zeros(SAMPLES + block), targets=targets,
    )  # fmt: skip


def _stack(stack: FoldedStack) -> Stack:
    single = len(stack.out_weight) == 1
    units, outputs = (
        hidden_lanes(len(stack.hidden_weight)),
        1 if single else output_lanes(len(stack.out_weight)),
    )
    planes = [_at_least_two(each[0]) for each in stack.planes]
    sizes = np.array([each.shape[1] for each in planes])
    features = stack.hidden_weight.shape[1]
    return Stack(
        tuple(map(flat, planes)), sizes, lane_type(stack.planes[0].shape[-1]),
        flat(padded(stack.hidden_weight, (units, features)).T), flat(padded(stack.hidden_bias[0],
        (units,))), lane_type(outputs), flat(padded(stack.out_weight, (outputs, units)).T),
        flat(padded(stack.out_bias, (outputs,))),
    )  # fmt: skip


def _at_least_two(planes: Float[Tensor, "3 size size channel"]) -> Float[Tensor, "3 least least channel"]:
    """Planes whose cells have four texels: a single texel is repeated."""
    return planes.expand(3, 2, 2, -1) if planes.shape[1] == 1 else planes


def _cell_bits(grid: CellGrid | None) -> CellBits:
    if grid is None:
        return CellBits(np.ones(1, np.uint8), 1)  # one occupied cell
    return CellBits(grid.bits.copy(), grid.size)  # writable: kernels are compiled for such arrays


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


def _whole(count: int) -> np.ndarray:
    return np.zeros(count, np.int32)


def _blocks(count: int) -> int:
    """A number of samples, rounded up to whole blocks of both kinds."""
    return -(-count // LANES) * LANES
