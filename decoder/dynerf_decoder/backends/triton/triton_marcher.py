"""Marches rays through a folded ``planes`` model with a Triton kernel on a GPU; see ``triton_march``.

Triton comes with torch's CUDA builds. Where it is missing or cannot compile (it needs a C compiler at its
first launch), torch renders instead; the reason is logged once.
"""

import functools
import importlib.util
import logging
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.backends.folded_planes import FoldedStack
from dynerf_decoder.kernels.records import Bounds
from dynerf_decoder.scene.contraction import RayIntervals
from dynerf_decoder.scene.ray_sampling import PADDING

_LOG = logging.getLogger(__name__)
_BLOCK = 128  # rays per program: one per thread
_MIN_COLUMNS = 16  # the minimum for tensor cores
_COARSE_MIN_TRANSMITTANCE = 1e-3  # coarse samples end here; the last interval takes the rest
_MAX_HALF = 65504.0  # the largest finite number in half precision
_MAX_CHANNELS, _MAX_HIDDEN, _MAX_OUTPUTS, _MAX_SCALES, _MAX_BINS = 32, 128, 32, 4, 256
_MAX_VALUES = 2**31 - 1  # of all planes: offsets are 32 bits


@dataclass
class Failure:
    """Whether the kernel has failed in this process, after which it is not tried again."""

    failed: bool = False


FAILURE = Failure()


@dataclass(frozen=True)
class TritonMarcher:
    """Both stacks of one frame, laid out for the kernel; ``bounds`` are those of a raw density."""

    coarse: tuple[Any, ...]
    fine: tuple[Any, ...]
    sizes: dict[str, int]
    bounds: Bounds

    @classmethod
    def of(
        cls,
        coarse: FoldedStack,
        fine: FoldedStack,
        bounds: Bounds,
        precision: torch.dtype = torch.float16,
    ) -> "TritonMarcher | None":
        """Lay out two stacks that hold one frame; None when the kernel does not support their sizes."""
        if not (_supported(coarse, 1) and _supported(fine, _MAX_SCALES)):
            return None
        coarse_planes, coarse_width = _planes(coarse, precision), _width(coarse)
        planes, width, lanes = (
            _planes(fine, precision),
            _width(fine),
            _power_of_two(len(fine.out_bias), _MIN_COLUMNS),
        )
        if max(planes.numel(), coarse_planes.numel()) > _MAX_VALUES:
            return None
        scales = [each.shape[2] for each in fine.planes]
        hidden, coarse_hidden = (
            _power_of_two(len(fine.hidden_weight)),
            _power_of_two(len(coarse.hidden_weight)),
        )
        sizes = {
            "OUTPUTS": len(fine.out_bias), "SCALES": len(scales), "BLOCK": _BLOCK, "LANES": lanes,
            "COARSE_CHANNELS": _channels(coarse), "COARSE_WIDTH": coarse_width,
            "COARSE_HIDDEN": coarse_hidden,
            "CHANNELS": _channels(fine), "WIDTH": width, "HIDDEN": hidden,
        }  # fmt: skip
        out_weight = _padded(coarse.out_weight, (1, coarse_hidden)).flatten()
        fine_out_weight = _padded(fine.out_weight, (lanes, hidden)).T.contiguous()
        return cls(
            (coarse_planes, coarse.planes[0].shape[2], _first(coarse, precision),
             _padded(coarse.hidden_bias[0], (coarse_hidden,)), out_weight, coarse.out_bias.detach().float()),
            (planes, *scales, *[2] * (_MAX_SCALES - len(scales)), _first(fine, precision),
             _padded(fine.hidden_bias[0], (hidden,)), _to_precision(fine_out_weight, precision),
             _padded(fine.out_bias, (lanes,))),
            sizes, bounds,
        )  # fmt: skip

    def __call__(
        self,
        intervals: RayIntervals,
        coarse: int,
        fine: int,
        min_transmittance: float,
        coarse_min_transmittance: float = _COARSE_MIN_TRANSMITTANCE,
    ) -> tuple[Float[Tensor, "1 ray feature"], Float[Tensor, "1 ray"]] | None:
        """Features accumulated along one frame's rays, and the positions where half the light is absorbed.

        ``coarse`` and ``fine`` are numbers of samples. A ray ends at ``min_transmittance``. Rays that miss
        get zeros. None when the kernel cannot run here.
        """
        if FAILURE.failed or coarse > _MAX_BINS:
            return None
        try:
            return self._launch(intervals, coarse, fine, min_transmittance, coarse_min_transmittance)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:  # Triton's compiler, the C compiler and the driver raise their own
            FAILURE.failed = True
            _LOG.warning("the Triton kernel cannot be used, torch renders instead: %s", _first_line(error))
            return None

    def _launch(
        self,
        intervals: RayIntervals,
        coarse: int,
        fine: int,
        min_transmittance: float,
        coarse_min_transmittance: float,
    ) -> tuple[Tensor, Tensor]:
        from .triton_march import march

        start = intervals.start[0].contiguous()
        step, length = (intervals.end[0] - start).contiguous(), intervals.length()[0].contiguous()
        hit = intervals.hit[0].to(torch.int8)
        count = len(length)
        features = start.new_empty(count, self.sizes["OUTPUTS"] - 1)
        medians = start.new_empty(count)
        march[(-(-count // _BLOCK),)](
            *self.coarse, *self.fine, start, step, length, hit, features, medians,
            count, coarse, fine, *map(float, self.bounds), PADDING, coarse_min_transmittance,
            min_transmittance, BINS=_power_of_two(coarse, 2), **self.sizes,
        )  # fmt: skip
        return features.unsqueeze(0), medians.unsqueeze(0)


@functools.cache
def has_triton() -> bool:
    """Whether Triton is installed; this does not import it."""
    spec = importlib.util.find_spec("triton")
    return spec is not None and spec.origin is not None  # a mere folder of that name has no origin


def can_use_triton(device: torch.device) -> bool:
    """Whether to try Triton for rays on this device."""
    return device.type == "cuda" and has_triton() and not FAILURE.failed


def _supported(stack: FoldedStack, scales: int) -> bool:
    """Whether the kernel supports a stack of these sizes, which are compiled in as constants."""
    return (
        len(stack.hidden_bias) == 1 and len(stack.planes) <= scales
        and stack.planes[0].shape[-1] <= _MAX_CHANNELS and len(stack.hidden_weight) <= _MAX_HIDDEN
        and len(stack.out_bias) <= _MAX_OUTPUTS and min(each.shape[2] for each in stack.planes) >= 2
    )  # fmt: skip


def _planes(stack: FoldedStack, precision: torch.dtype) -> Tensor:
    """All scales one after the other; a texel's channels are padded to a power of two for a single load."""
    channels = _channels(stack)
    parts = [_padded(each[0], (*each.shape[1:4], channels)).flatten() for each in stack.planes]
    return _to_precision(torch.cat(parts), precision)


def _first(stack: FoldedStack, precision: torch.dtype) -> Tensor:
    """W of each scale, (scale, ``WIDTH``, hidden), with zeros where the kernel has zeros between channels."""
    channels, hidden = _channels(stack), _power_of_two(len(stack.hidden_weight))
    weights = stack.hidden_weight.T.reshape(len(stack.planes), -1, len(stack.hidden_weight))
    rows = _padded(weights, (len(stack.planes), channels, hidden))
    spread = rows.new_zeros(len(stack.planes), _width(stack), hidden)
    spread[:, :: _width(stack) // channels] = rows
    return _to_precision(spread, precision)


def _to_precision(values: Tensor, precision: torch.dtype) -> Tensor:
    """Values in the kernel's precision, clamped so that large numbers in a file do not become infinite."""
    return values.clamp(-_MAX_HALF, _MAX_HALF).to(precision).contiguous()


def _channels(stack: FoldedStack) -> int:
    return _power_of_two(stack.planes[0].shape[-1], 1)


def _width(stack: FoldedStack) -> int:
    return max(_channels(stack), _MIN_COLUMNS)


def _power_of_two(count: int, least: int = _MIN_COLUMNS) -> int:
    """The next power of two, at least ``least``."""
    return max(1 << (count - 1).bit_length(), least)


def _padded(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A tensor padded with zeros at the ends of its axes, as float32."""
    result = values.new_zeros(shape, dtype=torch.float32)
    result[tuple(slice(size) for size in values.shape)] = values.detach()
    return result


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
