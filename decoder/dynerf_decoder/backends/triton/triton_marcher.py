"""Rays of a folded ``planes`` model by a Triton kernel, for a GPU: see ``triton_kernels.march``.

Triton comes with torch's CUDA builds. Where it is missing, or cannot compile (it wants a C compiler at its
first launch), torch alone does the work; why is logged once.
"""

import functools
import importlib.util
import logging
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.backends.cpu.kernels.records import Bounds
from dynerf_decoder.backends.folded_planes import FoldedStack
from dynerf_decoder.scene.contraction import RayIntervals
from dynerf_decoder.scene.ray_sampling import PADDING

_LOG = logging.getLogger(__name__)
_BLOCK = 128  # rays of a program: one a thread
_COLUMNS = 16  # the least that matrix units take
_LOST = 1e-3  # of a ray's light, that its last coarse interval takes without being looked at
_LARGEST = 65504.0  # in half precision
_MOST_CHANNELS, _MOST_HIDDEN, _MOST_OUTPUTS, _MOST_SCALES, _MOST_BINS = 32, 128, 32, 4, 256
_MOST_NUMBERS = 2**31 - 1  # of all planes: offsets are 32 bits


@dataclass
class Failure:
    """Whether the kernel has failed in this process, after which it is not tried again."""

    known: bool = False


FAILURE = Failure()


@dataclass(frozen=True)
class TritonMarcher:
    """Both stacks of one frame as the kernel takes them; ``bounds`` are those of a raw density."""

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
        """Lay out the only frame of two stacks; None when the kernel does not know their sizes."""
        if not (_known(coarse, 1) and _known(fine, _MOST_SCALES)):
            return None
        coarse_planes, coarse_width = _planes(coarse, precision), _width(coarse)
        planes, width, lanes = _planes(fine, precision), _width(fine), _power(len(fine.out_bias), _COLUMNS)
        if max(planes.numel(), coarse_planes.numel()) > _MOST_NUMBERS:
            return None
        scales = [each.shape[2] for each in fine.planes]
        hidden, coarse_hidden = _power(len(fine.hidden_weight)), _power(len(coarse.hidden_weight))
        sizes = {
            "OUTPUTS": len(fine.out_bias), "SCALES": len(scales), "BLOCK": _BLOCK, "LANES": lanes,
            "COARSE_CHANNELS": _channels(coarse), "COARSE_WIDTH": coarse_width,
            "COARSE_HIDDEN": coarse_hidden,
            "CHANNELS": _channels(fine), "WIDTH": width, "HIDDEN": hidden,
        }  # fmt: skip
        single = _filled(coarse.out_weight, (1, coarse_hidden)).flatten()
        second = _filled(fine.out_weight, (lanes, hidden)).T.contiguous()
        return cls(
            (coarse_planes, coarse.planes[0].shape[2], _first(coarse, precision),
             _filled(coarse.hidden_bias[0], (coarse_hidden,)), single, coarse.out_bias.detach().float()),
            (planes, *scales, *[2] * (_MOST_SCALES - len(scales)), _first(fine, precision),
             _filled(fine.hidden_bias[0], (hidden,)), _stored(second, precision),
             _filled(fine.out_bias, (lanes,))),
            sizes, bounds,
        )  # fmt: skip

    def __call__(
        self, segments: RayIntervals, coarse: int, fine: int, opaque: float, lost: float = _LOST
    ) -> tuple[Float[Tensor, "1 ray feature"], Float[Tensor, "1 ray"]] | None:
        """Features summed along the rays of one frame, and the position behind which half of the light is.

        ``coarse`` and ``fine`` are numbers of samples; a ray ends at transmittance ``opaque``. Rays that miss
        get zeros. None when the kernel cannot do it here.
        """
        if FAILURE.known or coarse > _MOST_BINS:
            return None
        try:
            return self._launched(segments, coarse, fine, opaque, lost)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:  # Triton's compiler, its launcher's compiler, its driver: each has its own
            FAILURE.known = True
            _LOG.warning("the Triton kernel cannot be used, torch renders instead: %s", _first_line(error))
            return None

    def _launched(
        self, segments: RayIntervals, coarse: int, fine: int, opaque: float, lost: float
    ) -> tuple[Tensor, Tensor]:
        from .triton_march import march

        start = segments.start[0].contiguous()
        step, length = (segments.end[0] - start).contiguous(), segments.length()[0].contiguous()
        hit = segments.hit[0].to(torch.int8)
        count = len(length)
        features = start.new_empty(count, self.sizes["OUTPUTS"] - 1)
        middles = start.new_empty(count)
        march[(-(-count // _BLOCK),)](
            *self.coarse, *self.fine, start, step, length, hit, features, middles,
            count, coarse, fine, *map(float, self.bounds), PADDING, lost, opaque,
            BINS=_power(coarse, 2), **self.sizes,
        )  # fmt: skip
        return features.unsqueeze(0), middles.unsqueeze(0)


@functools.cache
def has_triton() -> bool:
    """Whether Triton is installed; it is not imported to find out."""
    spec = importlib.util.find_spec("triton")
    return spec is not None and spec.origin is not None  # a folder that happens to be called so has none


def marches_by_triton(device: torch.device) -> bool:
    """Whether rays on this device are worth trying by Triton."""
    return device.type == "cuda" and has_triton() and not FAILURE.known


def _known(stack: FoldedStack, scales: int) -> bool:
    """Whether the kernel knows a stack of these sizes: they are constants of what is compiled."""
    return (
        len(stack.hidden_bias) == 1 and len(stack.planes) <= scales
        and stack.planes[0].shape[-1] <= _MOST_CHANNELS and len(stack.hidden_weight) <= _MOST_HIDDEN
        and len(stack.out_bias) <= _MOST_OUTPUTS and min(each.shape[2] for each in stack.planes) >= 2
    )  # fmt: skip


def _planes(stack: FoldedStack, precision: torch.dtype) -> Tensor:
    """All scales in one row; a texel's channels are filled up to a power of two, which one load takes."""
    channels = _channels(stack)
    parts = [_filled(each[0], (*each.shape[1:4], channels)).flatten() for each in stack.planes]
    return _stored(torch.cat(parts), precision)


def _first(stack: FoldedStack, precision: torch.dtype) -> Tensor:
    """W of each scale, (scale, ``WIDTH``, hidden): zeros where the kernel puts zeros between channels."""
    channels, hidden = _channels(stack), _power(len(stack.hidden_weight))
    given = stack.hidden_weight.T.reshape(len(stack.planes), -1, len(stack.hidden_weight))
    rows = _filled(given, (len(stack.planes), channels, hidden))
    spread = rows.new_zeros(len(stack.planes), _width(stack), hidden)
    spread[:, :: _width(stack) // channels] = rows
    return _stored(spread, precision)


def _stored(values: Tensor, precision: torch.dtype) -> Tensor:
    """In the kernel's precision; what a file of any numbers may hold becomes no infinity."""
    return values.clamp(-_LARGEST, _LARGEST).to(precision).contiguous()


def _channels(stack: FoldedStack) -> int:
    return _power(stack.planes[0].shape[-1], 1)


def _width(stack: FoldedStack) -> int:
    return max(_channels(stack), _COLUMNS)


def _power(count: int, least: int = _COLUMNS) -> int:
    """The next power of two, at least ``least``."""
    return max(1 << (count - 1).bit_length(), least)


def _filled(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """With zeros at the ends of the axes, float32."""
    result = values.new_zeros(shape, dtype=torch.float32)
    result[tuple(slice(size) for size in values.shape)] = values.detach()
    return result


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
