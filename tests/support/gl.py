"""Software implementations of WebGL2 in Chromium, and decoded tensors for the renderer."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.clip.clip import Clip
from dynerf_format import CameraRecord, Header, QuantisedTensor

ARGUMENTS = {
    "swiftshader": ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
    "llvmpipe": ["--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"],
}
_MESA = ("/usr/share/glvnd/egl_vendor.d/50_mesa.json", "/usr/lib/x86_64-linux-gnu/dri/swrast_dri.so")


def missing_gl(name: str) -> str:
    """Why an implementation cannot be used, or an empty string. SwiftShader comes with Chromium."""
    if name == "llvmpipe" and not all(Path(path).exists() for path in _MESA):
        return "Mesa's llvmpipe is not installed (apt-get install libegl-mesa0 libgl1-mesa-dri)"
    return ""


def header_record(header: Header) -> dict[str, Any]:
    """What the renderer reads of a header, under the names of ``dnv/container/header.js``."""
    return {
        "field": {"kind": header.field.kind, "settings": dict(header.field.settings)},
        "sampling": dict(header.sampling),
        "space": {"matrix": list(header.space.matrix), "near": header.space.near},
        "cameras": [camera_record(each) for each in header.cameras],
    }


def camera_record(camera: Camera | CameraRecord) -> dict[str, Any]:
    """A camera under the names of ``dnv/container/header.js``."""
    return {
        "width": camera.width,
        "height": camera.height,
        "focalX": camera.focal_x,
        "focalY": camera.focal_y,
        "centreX": camera.centre_x,
        "centreY": camera.centre_y,
        "cameraToWorld": np.asarray(camera.camera_to_world, float).reshape(-1).tolist(),
    }


def dump_segment(clip: Clip, segment: int) -> bytes:
    """A segment's tensors, grids and latents as one file, which ``harness.js`` reads.

    Length of the JSON (u32), JSON, arrays. Symbols take the narrowest of 8, 16 and 32 bits.
    """
    reader, record = clip.reader, clip.header.segments[segment]
    arrays: list[np.ndarray] = []
    layers = clip.layers or reader.layers(segment)
    weights = reader.weights(segment, layers)
    occupancy = reader.occupancy(segment)
    if occupancy is not None and occupancy.layers != layers:
        occupancy = None
    grids = None
    if occupancy is not None:
        grids = {
            name: None
            if grid is None
            else {"size": grid.size, "cells": _place(arrays, grid.cells().astype(np.uint8))}
            for name, grid in (("coarse", occupancy.coarse), ("fine", occupancy.fine))
        }
    latents = reader.latents(record.first_frame, record.frames).astype(np.float64)
    head = {
        "tensors": [_tensor(arrays, tensor) for tensor in weights.values()],
        "grids": grids,
        "latents": _place(arrays, latents),
        "latentSize": latents.shape[1],
    }
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text + b"".join(array.tobytes() for array in arrays)


def _tensor(arrays: list[np.ndarray], tensor: QuantisedTensor) -> dict[str, object]:
    """A tensor with its symbols as in ``dnv/coding/symbol_canvas.js``, without the row of zeros in front."""
    symbols = tensor.symbols
    most = int(np.abs(symbols).max())
    kind = np.int8 if most <= 127 else np.int16 if most <= 32767 else np.int32
    spatial = symbols.ndim >= 3
    planes = symbols.size // (symbols.shape[-1] * symbols.shape[-2]) if spatial else symbols.size
    return {
        "name": tensor.name,
        "shape": list(symbols.shape),
        "planes": planes,
        "symbols": _place(arrays, symbols.reshape(planes, -1).T.astype(kind)),
        "steps": tensor.steps.astype(float).tolist(),
    }


def _place(arrays: list[np.ndarray], array: np.ndarray) -> dict[str, object]:
    """Append an array; where it is found behind the JSON."""
    offset = sum(each.nbytes for each in arrays)
    arrays.append(np.ascontiguousarray(array))
    return {"type": str(array.dtype), "offset": offset, "length": array.size}
