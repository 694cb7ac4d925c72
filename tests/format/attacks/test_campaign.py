"""Thousands of damaged files: each is refused with a FormatError or decodes within its limits.

With ``make test-long`` there are tens of thousands.
Damage that checksums cover must always be refused. With corrected checksums a changed file may be valid; it
must then decode within its limits. Any other exception fails the test.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynerf_format import (
    BytesSource,
    FormatError,
    Limits,
    QuantisedTensor,
    Reader,
    clip_bytes,
    encode_header,
    repair_clip,
)
from dynerf_format.container.compression import compress
from dynerf_format.tensors.tensor_payload import pack_tensors, unpack_tensors
from support.clips import (
    camera,
    coded_payload,
    forge,
    forged_chunks,
    layered,
    mixed,
    small_header,
    smallest,
    tensor,
    two_segments,
)
from support.mutations import mutations
from support.thorough import THOROUGH

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

LIMITS = Limits(chunk_bytes=2**20, elements=2**16)
ALL = {
    "cut": 3_800,
    "head, header and directory bits": 17_000,
    "payload bits": 10_000,
    "header bytes": 7_000,
    "framed header bytes": 1_000,
    "tensor payload bytes": 14_000,
    "structure": 250,
}
# By default one in nine: an odd number, so that flips of every ninth bit reach all bits of bytes.
SHARE = 1 if THOROUGH else 9
LEAST = {name: count // SHARE for name, count in ALL.items()}


def test_the_campaign_is_large_enough() -> None:
    assert sum(ALL.values()) >= 50_000


def is_refused(data: bytes) -> bool:
    """Whether a reader refuses a file, which it otherwise decodes. Other exceptions are raised."""
    try:
        Reader(BytesSource(data), LIMITS).verify()
    except FormatError as error:
        assert 0 < len(str(error)) < 1000
        return True
    return False


@pytest.mark.long
def test_truncation_at_any_byte(tried: Counter[str]) -> None:
    for data in (clip_bytes(*smallest()), clip_bytes(*two_segments())):
        for length in range(0, len(data), SHARE):
            assert is_refused(data[:length]), length
            tried["cut"] += 1
    assert tried["cut"] >= LEAST["cut"]


@pytest.mark.long
def test_every_bit_of_head_header_and_directory(tried: Counter[str]) -> None:
    name = "head, header and directory bits"
    for data in (clip_bytes(*smallest()), clip_bytes(*two_segments())):
        for position in range(0, 8 * Reader(BytesSource(data)).directory[0].offset, SHARE):
            assert is_refused(flipped(data, position)), position
            tried[name] += 1
    assert tried[name] >= LEAST[name]


@pytest.mark.long
def test_random_bits_of_the_payload(tried: Counter[str]) -> None:
    data = bytearray(clip_bytes(*layered()))
    reader = Reader(BytesSource(data))  # the bytes it has already read stay intact
    start = 8 * reader.directory[0].offset
    for position in np.random.default_rng(0).integers(start, 8 * len(data), LEAST["payload bits"]).tolist():
        damaged = next((e for e in reader.directory if e.offset <= position // 8 < e.end), None)
        data[position // 8] ^= 1 << position % 8
        with pytest.raises(FormatError):
            # Only verification checks the trailer.
            reader.verify() if damaged is None else reader.read_chunk(damaged)
        data[position // 8] ^= 1 << position % 8
        tried["payload bits"] += 1
    reader.verify()


@pytest.mark.long
def test_headers_of_changed_bytes_with_valid_checksums(tried: Counter[str]) -> None:
    header, chunks = encode_header(smallest()[0]), forged_chunks(smallest()[1])
    for changed in mutations(header, LEAST["header bytes"]):
        is_refused(forge(changed, chunks))
        tried["header bytes"] += 1


@pytest.mark.long
def test_framed_headers_of_changed_bytes_with_valid_checksums(tried: Counter[str]) -> None:
    cameras = tuple(camera(f"cam{n:02}") for n in range(20))
    stored, chunks = compress(encode_header(small_header(cameras=cameras)))[1], forged_chunks(smallest()[1])
    Reader(BytesSource(forge(stored, chunks, flags=1)))
    for changed in mutations(stored, LEAST["framed header bytes"]):
        is_refused(forge(changed, chunks, flags=1))
        tried["framed header bytes"] += 1


@pytest.mark.long
def test_tensor_payloads_of_changed_bytes_with_valid_checksums(tried: Counter[str]) -> None:
    generator = np.random.default_rng(3)
    planes = np.cumsum(generator.integers(-1, 2, (8, 6, 8)), axis=2)
    rows = np.rint(generator.laplace(0, 30, (4, 24)))
    base, *others = (chunk.payload for chunk in mixed()[1])
    attacked: list[tuple[int, bytes, dict[str, QuantisedTensor] | None]] = [
        (1500, pack_tensors([tensor("planes", planes)]), None),
        (2000, pack_tensors([tensor("latents", rows), tensor("other", rows % 3)]), None),
        (3500, coded_payload((3,), ((8192, 8192),), states=(540672,)), None),
        (3300, pack_tensors([tensor("a", [1, 300]), tensor("b", [[1], [2]])]), None),
        (1000, coded_payload((12, 8), ((16384,), b"\xc8\0\1"), model=6), None),
        (2000, coded_payload((300,), ((16384,),)), None),
        (100, base, None),
        *((250, latents, None) for latents in others[:-1]),
        (250, others[-1], unpack_tensors(base)),
    ]
    for count, payload, coarser in attacked:
        unpack_tensors(payload, LIMITS, coarser)
        for changed in mutations(payload, count // SHARE):
            tried["tensor payload bytes"] += 1
            try:
                found = unpack_tensors(changed, LIMITS, coarser)
            except FormatError:
                continue
            assert sum(t.symbols.size for t in found.values()) <= LIMITS.elements
            assert all(np.isfinite(t.dequantise()).all() for t in found.values())
    assert tried["tensor payload bytes"] >= LEAST["tensor payload bytes"]


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "kind": st.sampled_from([b"WGHT", b"LATN", b"occu", b"note", b"NEWS", b"\0\0\0\0", b"WG1T"]),
    "segment": st.sampled_from([0, 1, 2, 2**32 - 1]),
    "layer": st.sampled_from([0, 1, 2, 15, 16, 65535]),
    "codec": st.sampled_from([0, 1, 2, 65535]),
    "first": st.sampled_from([0, 1, 2, 4, 2**32 - 1]),
    "count": st.sampled_from([0, 1, 2, 3, 2**31, 2**32 - 1]),
    "decoded_length": st.sampled_from([0, 1, 2**20, 2**20 + 1, 2**31, 2**32 - 1]),
    "stored_length": st.sampled_from([0, 1, 31, 2**20, 2**32 - 1]),
    "offset_error": st.sampled_from([-32, -1, 1, 40, 2**40]),
    "body": st.binary(max_size=60),
}


CLIPS = [smallest, two_segments, mixed, layered]  # importing this module must not compile the coder


@st.composite
def forgeries(draw: st.DrawFn) -> bytes:
    """A clip whose chunks were replaced, duplicated, dropped, moved or changed in a field."""
    header, clip = draw(st.sampled_from(CLIPS))()
    chunks = forged_chunks(clip)
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, len(chunks) - 1)) if chunks else 0
        change = draw(st.sampled_from(["field", "field", "double", "drop", "move"]))
        if not chunks:
            break
        if change == "field":
            field = draw(st.sampled_from(sorted(FIELDS)))
            chunks[index] = replace(chunks[index], **{field: draw(FIELDS[field])})
        elif change == "double":
            chunks.insert(draw(st.integers(0, len(chunks))), chunks[index])
        else:
            chunk = chunks.pop(index)
            if change == "move":
                chunks.insert(draw(st.integers(0, len(chunks))), chunk)
    return forge(encode_header(header), chunks)


@pytest.mark.long
def test_chunks_swapped_duplicated_dropped_or_changed(tried: Counter[str], tmp_path: Path) -> None:
    @settings(deadline=None, max_examples=LEAST["structure"], database=None)
    @given(forgeries())
    def attack(data: bytes) -> None:
        tried["structure"] += 1
        if not is_refused(data):
            return
        try:
            repair_clip(BytesSource(data), tmp_path / "saved.dnv", LIMITS)
        except FormatError:
            return
        assert not is_refused((tmp_path / "saved.dnv").read_bytes())

    attack()
    assert tried["structure"] >= LEAST["structure"]


def flipped(data: bytes, position: int) -> bytes:
    broken = bytearray(data)
    broken[position // 8] ^= 1 << position % 8
    return bytes(broken)


# Runs in a separate process, because peak memory is measured per process.
MEMORY_CHECK = """
    import sys
    sys.path[:0] = {path!r}
    from dataclasses import replace
    from dynerf_format import BytesSource, FormatError, Limits, Reader
    from support.clips import coded_payload, forge, forged_chunks, many_tensors, planes_payload, smallest
    from support.peak_memory import peak_memory
    from dynerf_format import encode_header

    limits = Limits(chunk_bytes=2**24, elements=2**22)
    header, (weights, latents) = encode_header(smallest()[0]), forged_chunks(smallest()[1])
    lanes = (65536,) * 4096
    words = (0,) * 2000
    wide = bytes([200, 0, 192])
    shapes = [((2**22,), 0), ((64, 2**16), 3), ((2**16, 64), 5), ((2**12, 2**10), 7)]
    bodies = [coded_payload(s, (first, wide) if m > 2 else (first,), m, states=lanes, words=words[:n])
              for s, m in shapes for first in ((16384,), (16383, 1)) for n in (0, 2000)]
    bodies += [many_tensors(*numbers) for numbers in ((4096, 0, 32), (4096, 3, 2), (700, 0, 32), (700, 3, 2))]
    bodies += [coded_payload((2**28,), states=lanes), coded_payload((2**31, 2**31), states=lanes)]
    bodies += [coded_payload(tables=((16384,),) * 32, declared=(1, 2**32 - 1, 2**32 - 1))]
    bodies += [planes_payload(shape, bytes(size)) for size in (4, 2000)
               for shape in ((1024, 64, 64), (2**16, 8, 8), (2**18, 4, 4), (1, 2, 2**14), (4, 4, 2**14, 4))]

    def read(body):
        try:
            Reader(BytesSource(forge(header, [replace(weights, body=body), latents])), limits).verify()
        except FormatError:
            pass

    for small in (coded_payload((3,), ((16384,),)), planes_payload((1, 4, 4), bytes(4))):
        read(small)  # loads and compiles what readers need
    before = peak_memory()
    for body in bodies:
        read(body)
    grown = peak_memory() - before
    allowed = (limits.chunk_bytes + 4 * limits.elements) // 1024 + 64 * 1024
    sys.exit(f"memory grew by {{grown}} KiB, {{allowed}} allowed" if grown > allowed else 0)
"""


def test_declared_tensors_stay_within_the_limits_and_64_mib() -> None:
    code = textwrap.dedent(MEMORY_CHECK).format(path=sys.path)
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
