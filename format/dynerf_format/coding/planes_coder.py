"""Entropy coding of feature planes by adaptive binary decisions with mixed contexts.

The planes of a tensor (..., channel, row, column) are coded image by image, texel by texel and channel by
channel. A texel with an even neighbourhood is *quiet*: one decision states whether all its channels are as
expected. Otherwise each symbol is its expected symbol e plus s r, and r is coded by decisions: is it 0, its
side, and whether its magnitude is above 1, above 2, ... up to 16; what is left follows in plain bits.

Nothing is stored besides the decisions' bytes: contexts, weights and corrections start anew with every tensor
and adapt while it is decoded. ``code_planes`` runs in both directions. The contexts are in
``plane_contexts.py``, the mixing in ``mixing.py``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from dynerf_format.errors import FormatError, LimitError, TruncatedError
from dynerf_format.layout import SYMBOL_MAX

if TYPE_CHECKING:
    import numpy.typing as npt

    from .side_information import SideInformation

    Ints: TypeAlias = npt.NDArray[np.int32]
    Bytes: TypeAlias = npt.NDArray[np.uint8]

EXTENT_MIN, EXTENT_MAX = 4, 2**14
"""Rows and columns; the working memory is at most a few times that of the symbols."""
SYMBOLS_PER_BYTE, SYMBOLS_FREE = 4096, 2**16
_NONE = np.zeros((0, 0, 0, 0, 0), np.int32)


def fits_planes(shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape may be coded as planes."""
    return len(shape) >= 3 and all(EXTENT_MIN <= extent <= EXTENT_MAX for extent in shape[-2:])


def encode_planes(symbols: Ints, side_info: SideInformation) -> bytes:
    """The bytes of a tensor of planes, padded to what readers require for so many symbols."""
    from .binary_coder import finish_encoder, new_encoder  # loading numba is slow

    capacity = max(4096, symbols.size // 2)
    while True:
        data, coder = np.zeros(capacity, np.uint8), new_encoder()
        try:
            _code_all(coder, data, symbols.copy(), side_info)
            end = finish_encoder(coder, data)
            break
        except (IndexError, ValueError):  # more bytes than there is room for
            capacity *= 4
    least = -(-(symbols.size - SYMBOLS_FREE) // SYMBOLS_PER_BYTE)
    return data[:end].tobytes() + bytes(max(0, least - end))


def decode_planes(stored: bytes, shape: tuple[int, ...], side_info: SideInformation) -> Ints:
    """The symbols of a tensor of planes; FormatError when the bytes do not hold exactly that."""
    from .binary_coder import INVALID, POSITION, START_BYTES, VALUE, new_decoder  # loading numba is slow

    data = np.frombuffer(bytearray(stored), np.uint8)  # writable: kernels are compiled for such arrays
    if math.prod(shape) > SYMBOLS_FREE + SYMBOLS_PER_BYTE * len(data):
        raise LimitError(f"planes: {math.prod(shape)} symbols in {len(data)} bytes")
    if len(data) < START_BYTES:
        raise TruncatedError(f"planes: {len(data)} bytes, expected at least {START_BYTES}")
    coder, symbols = new_decoder(data), np.zeros(shape, np.int32)
    _code_all(coder, data, symbols, side_info)
    end = int(coder[POSITION])
    if end > len(data):
        raise TruncatedError(f"planes: more than the {len(data)} bytes that are there are needed")
    if coder[VALUE] != 0 or data[end:].any():
        raise FormatError("planes: the decisions do not end where the bytes do")
    if coder[INVALID]:
        raise FormatError(f"planes: a symbol beyond +-{SYMBOL_MAX}")
    return symbols


def _code_all(coder: npt.NDArray[np.int64], data: Bytes, symbols: Ints, side_info: SideInformation) -> None:
    from .plane_contexts import new_mixers, new_texels  # loading numba is slow
    from .plane_symbols import code_planes

    *outer, channels, height, width = symbols.shape
    planes = outer[-1] if outer else 1
    shape = (-1, planes, channels, height, width)
    coarse, previous = (
        _NONE if each is None else np.require(each.reshape(shape), np.int32, ["C", "W"])
        for each in (side_info.coarse, side_info.previous)
    )
    code_planes(
        coder, data, symbols.reshape(shape), coarse, side_info.factor, previous,
        new_texels(planes, channels, height, width), *new_mixers(),
    )  # fmt: skip
