"""Measures the entropy coding of a finished clip by class of tensors.

    python benchmarks/entropy_coder.py clip.dnv [--json]

For each class, in bits per symbol: the order-0 entropy of all its symbols together, without tables;
Zstandard level 19 of the byte planes; the file's coder in one layer, including tables and lanes, as a chunk
stores it; and, separately, the heads of the records (names, shapes and steps). Then the symbols decoded per
second of one thread's time, the best of five, including heads and zstd. Classes are packed separately.
Finally the bytes of the file's quality layers and groups of latents.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from dynerf_format import FileSource, QuantisedTensor, Reader, unpack_tensors
from dynerf_format.container.chunks import unpack_latents
from dynerf_format.container.compression import compress, decompress
from dynerf_format.tensors.tensor_payload import pack_parts

CLASSES: dict[str, Callable[[QuantisedTensor], bool]] = {
    "static planes": lambda t: ".static." in t.name,
    "basis planes": lambda t: ".basis." in t.name,
    "network": lambda t: ".static." not in t.name and ".basis." not in t.name,
    "all weights": lambda _: True,
}


def main() -> None:
    """Measure and print."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with FileSource(options.clip) as source:
        reader = Reader(source)
        weights = list(reader.weights(0).values())
        classes = {name: [[t for t in weights if belongs(t)]] for name, belongs in CLASSES.items()}
        classes["latents"] = [[one] for one in latents_of(reader)]
        rows = [measure(name, chunks) for name, chunks in classes.items() if chunks[0]]
        stored = [
            [e.kind.decode(), e.layer, e.end - e.offset]
            for e in reader.directory
            if e.kind in (b"WGHT", b"LATN") and e.segment == 0
        ]
    if options.json:
        print(json.dumps({"classes": rows, "chunks": stored}))
        return
    print("| class | symbols | order-0 entropy | zstd-19 | coded | | heads | million symbols/s |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        print(
            f"| {row['class']} | {row['symbols']:,} | {row['entropy']:.3f} | {row['zstd']:.3f} "
            f"| {row['coded']:.3f} | {row['coded'] / row['entropy'] - 1:+.1%} | {row['heads']:.3f} "
            f"| {row['speed'] / 1e6:.1f} |"
        )
    print("\nbytes of the chunks: " + ", ".join(f"{kind} {layer}: {size:,}" for kind, layer, size in stored))


def latents_of(reader: Reader) -> list[QuantisedTensor]:
    """All groups of latents."""
    entries = [e for e in reader.directory if e.kind == b"LATN" and e.layer == 0]
    return [unpack_latents(reader.read_chunk(entry), entry.count) for entry in entries]


def measure(name: str, chunks: Sequence[Sequence[QuantisedTensor]]) -> dict[str, Any]:
    """Bits per symbol of the tensors of some chunks by each method, and symbols decoded per second."""
    tensors = [tensor for chunk in chunks for tensor in chunk]
    symbols = sum(t.symbols.size for t in tensors)
    parts = [pack_parts(chunk) for chunk in chunks]
    coded = [len(compress(b"".join(one.bodies) + one.section)[1]) for one in parts]
    payloads = [one.payload for one in parts]
    seconds = min(seconds_of([(len(payload), *compress(payload)) for payload in payloads]) for _ in range(5))
    return {
        "class": name,
        "symbols": symbols,
        "entropy": entropy_bits(tensors) / symbols,
        "zstd": 8 * sum(map(zstd_bytes, tensors)) / symbols,
        "coded": 8 * sum(coded) / symbols,
        "heads": 8 * sum(len(head) for one in parts for head in one.heads) / symbols,
        "speed": symbols / seconds,
    }


def seconds_of(chunks: Sequence[tuple[int, int, bytes]]) -> float:
    """Thread time in seconds to decode chunks of (length, codec, stored bytes)."""
    started = time.thread_time()
    for length, codec, stored in chunks:
        unpack_tensors(decompress(codec, stored, length))
    return time.thread_time() - started


def entropy_bits(tensors: Sequence[QuantisedTensor]) -> float:
    """Bits of the symbols under their empirical order-0 distribution."""
    symbols = np.concatenate([tensor.symbols.ravel() for tensor in tensors])
    counts = np.unique(symbols, return_counts=True)[1]
    return float(-(counts * np.log2(counts / counts.sum())).sum())


def zstd_bytes(tensor: QuantisedTensor) -> int:
    """Bytes of the symbols' byte planes after Zstandard."""
    width = next(w for w in (1, 2, 4) if np.abs(tensor.symbols).max() < 1 << 8 * w - 1)
    planes = np.frombuffer(tensor.symbols.astype(f"<i{width}").tobytes(), np.uint8).reshape(-1, width).T
    return min(len(zstandard.ZstdCompressor(level=19).compress(planes.tobytes())), planes.size)


if __name__ == "__main__":
    main()
