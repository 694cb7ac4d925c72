"""Small clips for tests, valid and forged.

``forge`` writes files with invalid contents and valid checksums, so that a test reaches the rule that it
checks.
"""

from __future__ import annotations

import functools
import hashlib
import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import settings

from dynerf_format import (
    CameraRecord,
    Chunk,
    FieldRecord,
    Header,
    QuantisedTensor,
    SegmentRecord,
    SpaceRecord,
    coarsen,
    continued_chunks,
    key_chunks,
    latents_chunk,
    layers_between,
    quantise,
    split_layers,
    weights_chunk,
    weights_chunks,
)
from dynerf_format.coding.byte_reader import pack_varint
from dynerf_format.coding.context_models import PLANES
from dynerf_format.coding.entropy_coder import _code
from dynerf_format.coding.planes_coder import encode_planes
from dynerf_format.coding.rans_section import pack_section
from dynerf_format.coding.side_information import SideInformation
from dynerf_format.layout import CHUNK_HEAD, ENTRY, HEAD, MAGIC, TRAILER, TRAILER_TAG
from dynerf_format.tensors.tensor_head import CODED, pack_head
from support.thorough import THOROUGH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dynerf_format.container.quality_layers import QualityLayer

VECTORS = "format/vectors"
QUICK = settings(deadline=None, max_examples=60 if THOROUGH else 30, database=None)

BT709 = {"matrix": "bt709", "primaries": "bt709", "transfer": "bt709", "range": "full"}
IDENTITY_3X4 = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
IDENTITY_4X4 = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def _made_once(
    make: Callable[[], tuple[Header, list[Chunk]]],
) -> Callable[[], tuple[Header, list[Chunk]]]:
    """``make``, which is called once; each caller gets its own list of the chunks, which are immutable."""
    once = functools.cache(make)

    @functools.wraps(make)
    def copied() -> tuple[Header, list[Chunk]]:
        header, chunks = once()
        return header, list(chunks)

    return copied


def camera(name: str = "cam00", **changes: Any) -> CameraRecord:
    record = CameraRecord(
        name=name,
        width=64,
        height=48,
        focal_x=60.0,
        focal_y=60.0,
        centre_x=32.0,
        centre_y=24.0,
        camera_to_world=IDENTITY_3X4,
        role="training",
    )
    return replace(record, **changes)


def small_header(segments: Sequence[int] = (1,), **changes: Any) -> Header:
    """A header for segments of the given numbers of frames."""
    starts = np.cumsum([0, *segments])
    record = Header(
        generator="example",
        fps_numerator=30,
        fps_denominator=1,
        frames=int(starts[-1]),
        first_source_frame=0,
        cameras=(camera(),),
        space=SpaceRecord(kind="box", matrix=IDENTITY_4X4, near=0.1),
        field=FieldRecord(kind="planes", settings={"channels": 8, "scales": [64, 160]}),
        sampling={"coarse": 24, "fine": 12},
        segments=tuple(SegmentRecord(int(s), n) for s, n in zip(starts, segments, strict=False)),
        colour=BT709,
        config={"preset": "tiny"},
        quality={"psnr": 28.5},
    )
    return replace(record, **changes)


@_made_once
def smallest() -> tuple[Header, list[Chunk]]:
    """One frame, one weight tensor of 3 numbers, one latent code of 2: the example of ``SPEC.md``."""
    weights = quantise("density.bias", [-0.5, 0.0, 1.25], 0.25)
    latents = quantise("latents", [[0.125, -0.25]], 0.125)
    return small_header(), [weights_chunk(0, [weights]), latents_chunk(0, 0, latents)]


@_made_once
def two_segments() -> tuple[Header, list[Chunk]]:
    """Segments of 5 and 3 frames, latents in groups of 2, all symbol widths and codecs, ancillary chunks."""
    # Computed, because NumPy may change the output of its generators and these bytes are pinned.
    header = small_header((5, 3), cameras=(camera(), camera("cam01", role="held_out")))
    chunks: list[Chunk] = []
    for number, segment in enumerate(header.segments):
        planes = np.repeat(np.arange(200) * 37 % 19 - 9, 10).reshape(4, 5, 100)
        wide = np.array([[-40000, 40000], [2**23, -(2**23)]])
        steps = np.array([0.5, 0.25, 0.125, 1.0])
        chunks.append(
            weights_chunk(
                number,
                [
                    quantise("planes.0", planes * 0.5, steps),
                    quantise("head.weight", np.arange(-300, 300).reshape(2, 300), 1.0),
                    quantise("head.bias", wide / 1024, 1 / 1024),
                ],
            )
        )
        chunks.append(Chunk(b"note", number, 0, 0, 0, b"to be skipped"))
        for first in range(segment.first_frame, segment.first_frame + segment.frames, 2):
            count = min(2, segment.first_frame + segment.frames - first)
            values = ((np.arange(count * 8) + first * 8) * 53 % 199 - 99).reshape(count, 8) / 16
            chunks.append(latents_chunk(number, first, quantise("latents", values, 1 / 16)))
    return header, chunks


def lcg_bytes(count: int) -> np.ndarray:
    """Numbers of 0 to 255 from a linear congruential generator."""
    states = [12345]
    for _ in range(count):
        states.append((states[-1] * 1103515245 + 12345) % 2**31)
    return np.array(states[1:]) >> 23


@_made_once
def layered() -> tuple[Header, list[Chunk]]:
    """9 frames in three quality layers: every model of the entropy coder, raw bits, a tensor coded anew."""
    row, column = np.mgrid[:12, :12]
    noise = lcg_bytes(24 * 144).reshape(24, 12, 12) // 64
    ramps = [row * (p % 5) + column * (p % 3) + noise[p] - 20 for p in range(24)]
    planes = quantise("planes.0", np.reshape(ramps, (3, 8, 12, 12)), 1.0)
    head = quantise("head.weight", (lcg_bytes(4800).reshape(3, 40, 40).sum(axis=0) - 380) / 8, 1 / 8)
    bias = quantise("head.bias", np.zeros(200), 1.0)
    late = quantise("planes.1", np.reshape(ramps[8:16], (8, 12, 12)), 1.0)
    absent = quantise("planes.1", np.zeros((8, 12, 12)), 1.0)
    frame, number = np.mgrid[:9, :40]
    latents = number * 211 % 97 + frame * (number % 7 - 3) + (frame * number) % 3
    medium = coarsen(planes, 3)
    layers = (
        [coarsen(medium, 3), coarsen(head, 2), bias, absent],
        [medium, head, bias, late],
        [planes, head, bias, late],
    )
    levels = [{tensor.name: tensor for tensor in layer} for layer in layers]
    base, *finer = key_chunks(0, layers_between(levels))
    header = small_header((9,))
    return header, [base, latents_chunk(0, 0, quantise("latents", latents, 1.0)), *finer]


@_made_once
def mixed() -> tuple[Header, list[Chunk]]:
    """6 and 5 frames: planes, both kinds of tables, every row model, reused tables."""
    row, column = np.mgrid[:39, :41]
    noise = lcg_bytes(5 * 9 * 1599).reshape(9, 39, 41, 5)[..., :4].sum(axis=-1) - 510
    sparse = (row // 10 + column // 10) % 2 == 0
    planes = row * 3 + column * 2 + np.where(sparse, abs(noise) > 360, noise // 40)
    magnitude = 2 ** (np.arange(24) % 6)
    sums = noise.ravel()
    wide = sums[:1920].reshape(80, 24) * magnitude // 64
    weights = [
        quantise("planes", planes, 1.0),
        quantise("head.0.weight", wide, 1.0),
        quantise("head.0.bias", sums[:24] // 8, 1.0),
        quantise("head.1.weight", wide.T, np.linspace(1, 2, 24)),
        quantise("head.1.bias", sums[24:72] // 8, 1.0),
        quantise("head.2.weight", np.roll(wide, 5, axis=1), 1.0),
    ]
    walk = np.cumsum(sums[:192].reshape(6, 32) // 16, axis=0)
    curve = np.cumsum(np.cumsum(sums[200:360].reshape(5, 32) // 32, axis=0), axis=0)
    latents = [
        latents_chunk(0, 0, quantise("latents", walk, 1.0)),
        latents_chunk(0, 6, quantise("latents", curve, 1.0)),
    ]
    base, *finer = weights_chunks(0, weights, {"planes": (3,), "head.1.weight": (5,)})
    return small_header((11,)), [base, *latents, *finer]


def moving_weights(number: int) -> list[QuantisedTensor]:
    """A constant ramp with a spot that changes from segment to segment; a network that changes a little."""
    row, column = np.mgrid[:12, :12]
    noise = lcg_bytes(24 * 144).reshape(24, 12, 12) // 32
    spot = (abs(row - 2 * number - 3) < 3) * (noise // 2 + number)
    ramps = row * 3 + column * 2 + noise - 20 + spot
    head = lcg_bytes(1600) - 128 + number * (lcg_bytes(1600) % 3)
    return [
        quantise("planes.0", ramps.reshape(3, 8, 12, 12), 1.0),
        quantise("head.weight", head.reshape(40, 40), 1.0),
        quantise("head.bias", np.arange(200) + number % 2, 1.0),
    ]


@_made_once
def continued() -> tuple[Header, list[Chunk]]:
    """Segments of 2 frames with layers: a key segment, two that build on it, and another key segment."""
    chunks: list[Chunk] = []
    previous: list[dict[str, QuantisedTensor]] = []
    factors = {"planes.0": (3, 2), "head.weight": (4,)}
    for number in range(4):
        weights, depth = moving_weights(number), number % 3
        layers = split_layers(weights, factors)
        if depth:
            base, *finer = continued_chunks(number, layers, previous, depth)
        else:
            base, *finer = weights_chunks(number, weights, factors)
        latents = quantise("latents", [[number, 1], [2, number]], 1.0)
        chunks += [base, latents_chunk(number, 2 * number, latents), *finer]
        previous = []
        for layer in layers:
            previous.append({**(previous[-1] if previous else {}), **{t.name: t for t in layer.tensors}})
    return small_header((2, 2, 2, 2)), chunks


def cut_waves() -> tuple[Header, list[Chunk]]:
    """Two segments in two layers, of so many symbols that the waves of model 0 are cut."""
    plane, row, column = np.mgrid[:24_000, :3, :6]
    noise = lcg_bytes(plane.size).reshape(plane.shape)
    symbols = row + 2 * column + plane // 3000 + (noise > 254) * 4
    moved = symbols + (plane % 307 == 7) * (noise // 64)
    planes = [np.reshape(one, (250, 3, 32, 3, 6)) for one in (symbols, moved)]
    return modelled_clip([{"planes": one} for one in planes], {"planes": ((3,), (0, 0), (0, 0))})


def wide_symbols() -> tuple[Header, list[Chunk]]:
    """Entropy-coded symbols of 8, then 16, then 24 bits, from layer to layer, also continued."""
    row, column = np.mgrid[:20, :20]
    noise = lcg_bytes(12 * 400).reshape(12, 20, 20)
    planes = (row * 80 - column * 61) * (np.arange(12)[:, None, None] + 1) * 37 + noise // 16
    changed = planes + (noise > 250) * 99
    tensors = [
        {"planes": np.reshape(one, (3, 2, 2, 20, 20)), "matrix": one[:2].reshape(40, 20) // 64}
        for one in (planes, changed)
    ]
    models = {"planes": ((63, 127), (1, 1, 1), (1, 1, 1)), "matrix": ((16, 40), (3, 5, 0), (0, 3, 5))}
    return modelled_clip(tensors, models)


def modelled_clip(
    segments: Sequence[dict[str, np.ndarray]],
    models: Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]],
) -> tuple[Header, list[Chunk]]:
    """Segments of two frames, all but the first continued, whose tensors are entropy-coded with given models.

    ``models`` holds, per tensor, the factors between its layers, and the model of each layer in the first
    segment and in the others. (The encoder would choose smaller codings.)
    """
    chunks: list[Chunk] = []
    previous: list[dict[str, QuantisedTensor]] = []
    for number, symbols in enumerate(segments):
        tensors = [quantise(name, one, 1.0) for name, one in symbols.items()]
        layers = split_layers(tensors, {name: factors for name, (factors, _, _) in models.items()})
        for n, layer in enumerate(layers):
            chosen = {name: by_layer[min(number, 1)][n] for name, (_, *by_layer) in models.items()}
            payload = modelled_payload(layer, chosen, previous[n] if number else {})
            chunks.append(Chunk(b"WGHT", number, n, number, len(layer.tensors), payload))
            if n == 0:
                codes = quantise("latents", [[number, 40000], [-70000, number]], 1.0)
                chunks.append(latents_chunk(number, 2 * number, codes))
        previous = [{t.name: t for t in layer.tensors} for layer in layers]
    return small_header((2,) * len(segments)), chunks


def modelled_payload(
    layer: QualityLayer, models: dict[str, int], previous: dict[str, QuantisedTensor]
) -> bytes:
    """A payload of a layer's tensors, each entropy-coded with the given model."""
    heads, records, coded, last = [], [], [], ""
    for tensor in layer.tensors:
        below, factor = layer.below[tensor.name] if layer.below else (None, 0)
        earlier = previous[tensor.name].symbols if previous else None
        side_info = SideInformation(None if below is None else below.symbols, factor, earlier)
        index = list(layer.below).index(tensor.name) if layer.below else None
        heads.append(pack_head(tensor, CODED, side_info, last, index))
        if models[tensor.name] == PLANES:
            decisions = encode_planes(tensor.symbols, side_info)
            records.append(bytes([PLANES]) + pack_varint(len(decisions)) + decisions)
        else:
            coded.append(_code(models[tensor.name], tensor.symbols, side_info))
            records.append(coded[-1].record)
        last = tensor.name
    stored = b"".join(head + record for head, record in zip(heads, records, strict=True))
    return pack_varint(len(heads)) + stored + pack_section(coded)


def tensor(name: str, symbols: Any, step: float = 1.0) -> QuantisedTensor:
    return QuantisedTensor(name, np.asarray(symbols, np.int32), np.array([step], np.float32))


def coded_payload(
    shape: tuple[int, ...] = (4,),
    tables: Sequence[tuple[int, ...] | bytes] = ((16384,),),
    model: int = 0,
    states: tuple[int, ...] = (65536,),
    words: tuple[int, ...] = (),
    raw: bytes = b"",
    factor: int | None = None,
    declared: tuple[int, int, int] | None = None,
) -> bytes:
    """A payload of one entropy-coded tensor ``t``, of zeros by default, whose every field can be overridden.

    A table is given by its frequencies or as bytes. With a factor it is a refinement of tensor 0.
    """
    if factor is None:
        head = b"\0\0\1t" + bytes([len(shape)]) + b"".join(map(pack_varint, shape))
    else:
        head = bytes([0, 0, factor])
    record = struct.pack("<fBB", 1.0, model, len(tables))
    for table in tables:
        if isinstance(table, bytes):
            record += table
            continue
        record += bytes([len(table)])
        record += b"".join(bytes([f]) if f < 128 else bytes([f & 127 | 128, f >> 7]) for f in table)
    section = b"".join(map(pack_varint, declared or (len(states), len(words), len(raw))))
    section += struct.pack(f"<{len(states)}I{len(words)}H", *states, *words) + raw
    return b"\1" + head + record + section


def planes_payload(shape: tuple[int, ...], decisions: bytes, declared: int | None = None) -> bytes:
    """A payload of one tensor ``t`` of planes, with these bytes as its decisions."""
    head = b"\0\0\1t" + bytes([len(shape)]) + b"".join(map(pack_varint, shape))
    length = len(decisions) if declared is None else declared
    return b"\1" + head + struct.pack("<fB", 1.0, 1) + pack_varint(length) + decisions


def many_tensors(tensors: int, model: int, tables: int) -> bytes:
    """A payload of many tensors of one symbol, 0, each with smooth tables of the maximum number of tokens."""
    shape = b"\2\1\1" if model else b"\1\1"
    record = shape + struct.pack("<fBB", 1.0, model, tables) + bytes([193, 0, 192]) * tables
    names = (b"%04x" % number for number in range(tensors))
    heads = b"".join(b"\0\0\4" + name + record for name in names)
    return pack_varint(tensors) + heads + b"\1\0\0" + struct.pack("<I", 65536)


@dataclass(frozen=True)
class ForgedChunk:
    """A chunk to be written as it is, valid or not."""

    kind: bytes = b"WGHT"
    segment: int = 0
    layer: int = 0
    codec: int = 0
    first: int = 0
    count: int = 1
    body: bytes = b""
    decoded_length: int | None = None
    stored_length: int | None = None
    offset_error: int = 0


def forge(
    header: bytes,
    chunks: Sequence[ForgedChunk],
    version: tuple[int, int] = (1, 0),
    flags: int = 0,
    gap: bytes = b"",
    lengths: dict[str, int] | None = None,
) -> bytes:
    """A file with valid checksums. ``lengths`` override fields of the head, ``gap`` precedes the chunks."""
    position = HEAD.size + len(header) + ENTRY.size * len(chunks) + len(gap)
    directory, body = b"", gap
    for chunk in chunks:
        stored = len(chunk.body) if chunk.stored_length is None else chunk.stored_length
        decoded = len(chunk.body) if chunk.decoded_length is None else chunk.decoded_length
        start = (chunk.kind, chunk.segment, chunk.layer, chunk.codec, chunk.first, chunk.count)
        head = CHUNK_HEAD.pack(*start, stored, decoded, 0)[:-4]
        checksum = zlib.crc32(chunk.body, zlib.crc32(head))
        directory += ENTRY.pack(*start, position + chunk.offset_error, stored, decoded, checksum)
        body += CHUNK_HEAD.pack(*start, stored, decoded, checksum) + chunk.body
        position += CHUNK_HEAD.size + len(chunk.body)
    fields = {
        "header_length": len(header),
        "header_crc32": zlib.crc32(header),
        "directory_length": len(directory),
        "directory_crc32": zlib.crc32(directory),
        "file_length": position + TRAILER.size,
    } | (lengths or {})
    start_bytes = HEAD.pack(MAGIC, *version, flags, *fields.values(), 0)[:-4]
    data = start_bytes + zlib.crc32(start_bytes).to_bytes(4, "little") + header + directory + body
    return data + TRAILER.pack(TRAILER_TAG, hashlib.sha256(data + TRAILER_TAG).digest())


def forged_chunks(clip: Sequence[Chunk]) -> list[ForgedChunk]:
    """The chunks of a valid clip, uncompressed, to be changed by tests."""
    return [ForgedChunk(c.kind, c.segment, c.layer, 0, c.first, c.count, c.payload) for c in clip]


def hex_dump(data: bytes) -> str:
    """16 bytes per line: offset, hexadecimal, ASCII."""
    lines = []
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{offset:04x}  {row.hex(' '):<47}  {text}")
    return "\n".join(lines)


def repository(start: Path) -> Path:
    """The root folder of the repository that holds ``start``."""
    return next(folder for folder in start.parents if (folder / "pyproject.toml").exists())
