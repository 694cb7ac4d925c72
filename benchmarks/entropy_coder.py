"""What entropy coding makes of a finished clip, class by class of its tensors.

    python benchmarks/entropy_coder.py clip.dnv [--json]

For each class: the order-0 entropy of its symbols (of each tensor by itself, tables not counted),
Zstandard level 19 of the byte planes, what the file's coder takes in one layer (records, tables, lanes and
all), and how many symbols per second are decoded, the best of five, on one thread. Then the bytes of the
quality layers.
Leave the machine alone while it runs.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from dynerf_format import FileSource, QuantisedTensor, Reader, pack_tensors, unpack_tensors
from dynerf_format.chunks import unpack_latents

CLASSES: dict[str, Callable[[QuantisedTensor], bool]] = {
    "static planes": lambda t: ".static." in t.name,
    "basis planes": lambda t: ".basis." in t.name,
    "network": lambda t: ".static." not in t.name and ".basis." not in t.name,
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
        rows = [measure(name, [t for t in weights if chosen(t)]) for name, chosen in CLASSES.items()]
        rows.append(measure("latents", latents_of(reader)))
        layers = [
            [e.layer, e.end - e.offset] for e in reader.directory if e.kind == b"WGHT" and e.segment == 0
        ]
    if options.json:
        print(json.dumps({"classes": rows, "layers": layers}))
        return
    print("| class | symbols | order-0 entropy | zstd-19 | coded | decoded, million symbols/s |")
    print("|---|--:|--:|--:|--:|--:|")
    for row in rows:
        print(
            f"| {row['class']} | {row['symbols']:,} | {row['entropy']:.3f} | {row['zstd']:.3f} "
            f"| {row['coded']:.3f} | {row['speed'] / 1e6:.1f} |"
        )
    print("\nbytes of the layers: " + ", ".join(f"{size:,}" for _, size in layers))


def latents_of(reader: Reader) -> list[QuantisedTensor]:
    """The first group of latents."""
    entry = next(e for e in reader.directory if e.kind == b"LATN")
    return [unpack_latents(reader.read_chunk(entry), entry.count)]


def measure(name: str, tensors: Sequence[QuantisedTensor]) -> dict[str, Any]:
    """Bits per symbol of some tensors by each method, and symbols decoded per second."""
    symbols = sum(t.symbols.size for t in tensors)
    payload = pack_tensors(tensors)
    seconds = min(seconds_of(payload) for _ in range(5))
    return {
        "class": name,
        "symbols": symbols,
        "entropy": sum(map(entropy_bits, tensors)) / symbols,
        "zstd": 8 * sum(map(zstd_bytes, tensors)) / symbols,
        "coded": 8 * len(zipped(payload)) / symbols,
        "speed": symbols / seconds,
    }


def seconds_of(payload: bytes) -> float:
    """How long decoding takes."""
    started = time.perf_counter()
    unpack_tensors(payload)
    return time.perf_counter() - started


def entropy_bits(tensor: QuantisedTensor) -> float:
    """Bits of the symbols when each is coded by how often it occurs."""
    counts = np.unique(tensor.symbols, return_counts=True)[1]
    return float(-(counts * np.log2(counts / counts.sum())).sum())


def zstd_bytes(tensor: QuantisedTensor) -> int:
    """Bytes of the symbols' byte planes after Zstandard."""
    width = next(w for w in (1, 2, 4) if np.abs(tensor.symbols).max() < 1 << 8 * w - 1)
    planes = np.frombuffer(tensor.symbols.astype(f"<i{width}").tobytes(), np.uint8).reshape(-1, width).T
    return len(zipped(planes.tobytes()))


def zipped(data: bytes) -> bytes:
    """Zstandard level 19, or the bytes as they are when that is smaller: what a chunk stores."""
    frame = zstandard.ZstdCompressor(level=19).compress(data)
    return min(frame, data, key=len)


if __name__ == "__main__":
    main()
