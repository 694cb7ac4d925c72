"""Chooses each camera's offset among timecode, sound and motion, in this order, and checks one by the next.

An offset is trusted when its method is clear and no other clear method contradicts it; it is kept with low
confidence when they differ, and unknown when no method says anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

Confidence = Literal["high", "low", "unknown"]
METHODS = ("timecode", "sound", "motion")

_SAME = 0.75  # frames between methods that agree


@dataclass(frozen=True)
class MethodOffset:
    """What one method says of a camera: frames (fractional), how clear it is, and whether clear enough."""

    frames: float
    clearness: float
    clear: bool


@dataclass(frozen=True)
class CameraOffset:
    """``frames`` is whole, None when unknown; ``fraction`` is what is left, where a method can tell.

    ``confirmed`` are other methods that agree; ``contradicted`` those that do not, with their offsets.
    """

    frames: int | None
    fraction: float
    method: str
    confidence: Confidence
    clearness: float
    confirmed: tuple[str, ...] = ()
    contradicted: tuple[str, ...] = ()

    @property
    def exact(self) -> Fraction | None:
        """The offset in frames for ``capture.json``: whole frames."""
        return None if self.frames is None else Fraction(self.frames)


UNKNOWN = CameraOffset(None, 0.0, "none", "unknown", 0.0)


def combine(cameras: int, found: Mapping[str, Sequence[MethodOffset | None]]) -> list[CameraOffset]:
    """The offsets of all cameras from what each method says; ``found`` has no entry for unused methods."""
    aligned = _aligned({name: found[name] for name in METHODS if name in found})
    offsets = [_camera({name: values[index] for name, values in aligned.items()}) for index in range(cameras)]
    known = [offset.frames for offset in offsets if offset.frames is not None]
    if len(known) < 2:
        return [UNKNOWN] * cameras
    low = min(known)
    return [offset if offset.frames is None else _moved(offset, -low) for offset in offsets]


def _aligned(found: Mapping[str, Sequence[MethodOffset | None]]) -> dict[str, list[MethodOffset | None]]:
    """All methods' offsets in the frame of the first one: each has its own zero."""
    aligned: dict[str, list[MethodOffset | None]] = {}
    for name, values in found.items():
        shifts = [
            before.frames - value.frames
            for earlier in aligned.values()
            for before, value in zip(earlier, values, strict=True)
            if before is not None and value is not None and before.clear and value.clear
        ]
        shift = float(np.median(shifts)) if shifts else 0.0
        aligned[name] = [
            None if value is None else MethodOffset(value.frames + shift, value.clearness, value.clear)
            for value in values
        ]
    return aligned


def _camera(methods: Mapping[str, MethodOffset | None]) -> CameraOffset:
    found = {name: value for name, value in methods.items() if value is not None}
    clear = {name: value for name, value in found.items() if value.clear}
    if not found:
        return UNKNOWN
    name, value = next(iter((clear or found).items()))
    others = {other: them for other, them in clear.items() if other != name}
    same = tuple(other for other, them in others.items() if abs(them.frames - value.frames) <= _SAME)
    differing = tuple(f"{other} {them.frames:+.1f}" for other, them in others.items() if other not in same)
    whole = round(value.frames)
    if not clear:  # a guess that nothing supports is not an offset
        return CameraOffset(None, 0.0, name, "unknown", value.clearness)
    confidence: Confidence = "low" if differing else "high"
    return CameraOffset(whole, value.frames - whole, name, confidence, value.clearness, same, differing)


def _moved(offset: CameraOffset, frames: int) -> CameraOffset:
    whole = None if offset.frames is None else offset.frames + frames
    return CameraOffset(
        whole, offset.fraction, offset.method, offset.confidence, offset.clearness, offset.confirmed,
        offset.contradicted,
    )  # fmt: skip
