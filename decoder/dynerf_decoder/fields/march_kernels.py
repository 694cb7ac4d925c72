"""Rays of a folded ``planes`` model by kernels, for a CPU: see ``kernels.march``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.kernels.march import march
from dynerf_decoder.kernels.network import ROWS
from dynerf_decoder.sampling import PADDING
from dynerf_decoder.space import Segments

from .stack_kernels import hidden_lanes, like, output_lanes, padded

if TYPE_CHECKING:
    from .planes import FoldedStack


@dataclass(frozen=True)
class Marcher:
    """Both stacks of one frame as the kernel takes them, the coarse one with a single output.

    ``bounds`` are those of a raw density, as in ``march``.
    """

    coarse: tuple[Any, ...]
    fine: tuple[Any, ...]
    outputs: int
    bounds: tuple[float, float, float]

    @classmethod
    def of(cls, coarse: "FoldedStack", fine: "FoldedStack", bounds: tuple[float, float, float]) -> "Marcher":
        """Lay out the only frame of two stacks."""
        return cls(_stack(coarse), _stack(fine), len(fine.out_weight), bounds)

    def __call__(
        self, segments: Segments, coarse: int, fine: int, opaque: float
    ) -> tuple[Float[Tensor, "1 ray feature"], Float[Tensor, "1 ray"]]:
        """Features summed along the rays of one frame, and the position behind which half of the light is.

        ``coarse`` and ``fine`` are numbers of samples; a ray ends at transmittance ``opaque``. Rays that miss
        get zeros.
        """
        rays = (
            _flat(segments.start[0]), _flat((segments.end - segments.start)[0]), _flat(segments.length()[0]),
            segments.hit[0].numpy(),
        )  # fmt: skip
        count, lanes = len(rays[2]), len(self.fine[6])
        out, middles = np.empty(count * lanes, np.float32), np.empty(count, np.float32)
        bounds = tuple(np.float32(bound) for bound in self.bounds)
        rule = (bounds, np.float32(PADDING), np.float32(opaque))
        march(self.coarse, self.fine, rays, rule, self._room(coarse, fine), out, middles)
        features = torch.from_numpy(out).view(1, count, lanes)[..., 1 : self.outputs]
        return features, torch.from_numpy(middles).unsqueeze(0)

    def _room(self, coarse: int, fine: int) -> tuple[Any, ...]:
        even = np.zeros(_filled_up(coarse), np.float32)
        even[:coarse] = (np.arange(coarse, dtype=np.float32) + 0.5) / coarse
        return (
            _room(self.coarse), _room(self.fine), even, np.zeros_like(even), _zeros(_filled_up(fine)),
            _zeros(_filled_up(fine)), _zeros(coarse), _zeros(fine + 1),
        )  # fmt: skip


def _stack(stack: "FoldedStack") -> tuple[Any, ...]:
    single = len(stack.out_weight) == 1
    units, outputs = (
        hidden_lanes(len(stack.hidden_weight)),
        1 if single else output_lanes(len(stack.out_weight)),
    )
    planes = [_flat(each[0]) for each in stack.planes]
    origins = np.cumsum([0, *(len(each) for each in planes)])[:-1]
    sizes = np.array([each.shape[2] for each in stack.planes])
    features = stack.hidden_weight.shape[1]
    return (
        np.concatenate(planes), origins, sizes, like(stack.planes[0].shape[-1]),
        _flat(padded(stack.hidden_weight, (units, features)).T), _flat(padded(stack.hidden_bias[0],
        (units,))), like(outputs), _flat(padded(stack.out_weight, (outputs, units)).T),
        _flat(padded(stack.out_bias, (outputs,))),
    )  # fmt: skip


def _room(stack: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
    """For features, hidden units and raw outputs of ``ROWS`` samples."""
    _, _, sizes, channels, _, bias, outputs, _, _ = stack
    return _zeros(ROWS * len(sizes) * len(channels)), _zeros(ROWS * len(bias)), _zeros(ROWS * len(outputs))


def _filled_up(samples: int) -> int:
    return -(-samples // ROWS) * ROWS


def _zeros(count: int) -> np.ndarray:
    return np.zeros(count, np.float32)


def _flat(values: Tensor) -> np.ndarray:
    array: np.ndarray = values.detach().reshape(-1).numpy()
    return array
