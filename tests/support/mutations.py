"""Damaged copies of bytes, and of clips with valid checksums."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dynerf_format import BytesSource, FormatError, Reader, encode_header
from fuzz.fuzz_format import correct_checksums
from support.clips import ForgedChunk, forge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynerf_format import Limits


def mutations(data: bytes, count: int) -> list[bytes]:
    """Copies with one to three bytes replaced, removed or inserted, often with values that break parsers."""
    generator = np.random.default_rng(len(data))
    changed = []
    for _ in range(count):
        copy = bytearray(data)
        for _ in range(generator.integers(1, 4)):
            index = int(generator.integers(len(copy)))
            byte = int(generator.choice([0, 1, 127, 128, 255, *generator.integers(0, 256, 5)]))
            change = generator.integers(6)
            if change == 0:
                del copy[index]
            elif change == 1:
                copy.insert(index, byte)
            else:
                copy[index] = byte
        changed.append(bytes(copy))
    return changed


@dataclass(frozen=True)
class Damaged:
    """A damaged file; ``framed`` when Zstandard frames may differ, whose checksum few readers check."""

    category: str
    data: bytes
    framed: bool = False


def damaged_clips(files: Sequence[bytes], count: int) -> Iterator[Damaged]:
    """At least ``count`` damaged copies of valid clips: cut, changed, and forged with valid checksums."""
    share = -(-count // (20 * len(files)))
    for data in files:
        yield Damaged("intact", data)
        generator = np.random.default_rng(len(data))
        for length in generator.integers(0, len(data), 2 * share).tolist():
            yield Damaged("cut", data[:length])
        for changed in mutations(data, 3 * share):
            yield Damaged("bytes", changed)
        for changed in mutations(data, 3 * share):
            yield Damaged("bytes with corrected checksums", correct_checksums(changed), framed=True)
        header, chunks = _parts(data)
        for changed in mutations(header, 3 * share):
            yield Damaged("header", forge(changed, chunks))
        each = -(-3 * share // len(chunks))
        for index, chunk in enumerate(chunks):
            # Mostly at the beginning, where the fields are.
            beginnings = [one + chunk.body[300:] for one in mutations(chunk.body[:300], 2 * each)]
            for changed in [*beginnings, *mutations(chunk.body, each)]:
                forged = [*chunks[:index], replace(chunk, body=changed), *chunks[index + 1 :]]
                yield Damaged("payload", forge(header, forged))


def _parts(data: bytes) -> tuple[bytes, list[ForgedChunk]]:
    """The header, and the chunks with their payloads uncompressed where the codec is known."""
    reader = Reader(BytesSource(data))
    chunks = []
    for entry in reader.directory:
        known = entry.codec < 2
        body = reader.read_chunk(entry) if known else reader.read_stored(entry)
        numbers = (entry.segment, entry.layer, 0 if known else entry.codec, entry.first, entry.count)
        decoded = None if known else entry.decoded_length
        chunks.append(ForgedChunk(entry.kind, *numbers, body, decoded))
    return encode_header(reader.header), chunks


def outcome(data: bytes, limits: Limits) -> str:
    """The SHA-256 of a file's symbols, steps and latents, or the name of the error that refuses it."""
    try:
        clip = Reader(BytesSource(data), limits)
        clip.verify()
        digest = hashlib.sha256()
        for segment in range(len(clip.header.segments)):
            for tensors in clip.layered_weights(segment):
                for name, tensor in tensors.items():
                    shape = " ".join(map(str, tensor.symbols.shape))
                    digest.update(f"{name} {shape};".encode())
                    digest.update(tensor.symbols.astype("<i4").tobytes())
                    digest.update(tensor.steps.astype("<f4").tobytes())
        digest.update(clip.latents(0, clip.header.frames).tobytes())
    except FormatError as error:
        return type(error).__name__
    return digest.hexdigest()
