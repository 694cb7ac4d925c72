"""Measures the decoder in JavaScript against the one in Python, on the same clip and in the same run.

    python benchmarks/browser.py clip.dnv [--rounds 5] [--processes 3] [--json]

Both decode all quality layers of all segments, checksums and zstd included; they take turns, so that both
meet the same load. Times are CPU seconds of the process (Node.js: with its compiling and collecting threads),
after the modules are loaded. "first" is the first decode of a process, "later" the best of the others; of
several processes the best is reported. Then the requests and bytes until a first picture can be rendered from
a static host.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dynerf_format import FileSource, Limits, QuantisedTensor, Reader
from dynerf_format.container.chunk_lookup import weights_entries
from dynerf_format.container.chunks import unpack_weights

_SCRIPT = Path(__file__).with_name("browser_decoder.mjs")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("--rounds", type=int, default=5, help="decodes of each process")
    parser.add_argument("--processes", type=int, default=3, help="processes of each language")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--python", action="store_true", help=argparse.SUPPRESS)  # the child process
    options = parser.parse_args()
    if options.python:
        print(json.dumps({"seconds": [decode(options.clip) for _ in range(options.rounds)]}))
        return
    found = measure(options.clip, options.rounds, options.processes)
    print(json.dumps(found) if options.json else table(found))


def measure(clip: Path, rounds: int, processes: int) -> dict[str, Any]:
    """CPU seconds after each layer by language, the number of coded symbols, and the first picture's cost."""
    commands = {
        "python": [sys.executable, __file__, str(clip), "--python", "--rounds", str(rounds)],
        "javascript": ["node", str(_SCRIPT), str(clip), str(rounds)],
    }
    runs: dict[str, list[dict[str, Any]]] = {language: [] for language in commands}
    for _ in range(processes):
        for language, command in commands.items():
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            runs[language].append(json.loads(run.stdout))
    seconds = {language: best([run["seconds"] for run in found]) for language, found in runs.items()}
    return {
        "clip": clip.name,
        "symbols": coded_symbols(clip),
        "seconds": seconds,
        "first_picture": runs["javascript"][0]["firstPicture"],
    }


def best(processes: list[list[list[float]]]) -> dict[str, list[float]]:
    """The shortest first decode of a process, and the shortest later one: seconds after each layer."""
    first = min((rounds[0] for rounds in processes), key=lambda layers: layers[-1])
    later = min((one for rounds in processes for one in rounds[1:]), key=lambda layers: layers[-1])
    return {"first": first, "later": later}


def decode(path: Path) -> list[float]:
    """CPU seconds after each quality layer, for all segments."""
    start, found = time.process_time(), []
    with FileSource(path) as source:
        clip = Reader(source)
        numbers = range(len(clip.header.segments))
        weights: list[dict[str, QuantisedTensor]] = [{} for _ in numbers]
        for layer in range(max(clip.layers(number) for number in numbers)):
            for number in numbers:
                entries = weights_entries(clip.directory, number)
                if layer < len(entries):
                    entry = entries[layer]
                    coarser = weights[number] if layer else None
                    added = unpack_weights(clip.read_chunk(entry), entry.count, Limits(), coarser)
                    weights[number] |= added
            found.append(time.process_time() - start)
    return found


def coded_symbols(path: Path) -> int:
    """Symbols of all layers of all segments; a tensor that a layer refines counts again."""
    with FileSource(path) as source:
        clip, total = Reader(source), 0
        for number in range(len(clip.header.segments)):
            tensors: dict[str, QuantisedTensor] = {}
            for entry in weights_entries(clip.directory, number):
                coarser = tensors if entry.layer else None
                added = unpack_weights(clip.read_chunk(entry), entry.count, Limits(), coarser)
                total += sum(tensor.symbols.size for tensor in added.values())
                tensors |= added
        return total


def table(found: dict[str, Any]) -> str:
    """Markdown."""
    seconds, layers = found["seconds"], len(found["seconds"]["python"]["first"])
    lines = [
        f"{found['clip']}: {found['symbols']:,} symbols in {layers} layers, CPU seconds after each layer",
        "",
        "| | " + " | ".join(f"layer {n}" for n in range(layers)) + " | million symbols/s |",
        "|---|" + "--:|" * (layers + 1),
    ]
    for kind in ("first", "later"):
        for language, name in (("python", "Python"), ("javascript", "JavaScript")):
            row = seconds[language][kind]
            cells = " | ".join(f"{one:.3f}" for one in row)
            lines.append(f"| {name}, {kind} | {cells} | {found['symbols'] / row[-1] / 1e6:.1f} |")
        ratio = [a / b for a, b in zip(seconds["python"][kind], seconds["javascript"][kind], strict=True)]
        lines.append(f"| ratio, {kind} | " + " | ".join(f"{one:.1f}" for one in ratio) + " | |")
    cost = found["first_picture"]
    lines += [
        "",
        f"first picture: {cost['requests']} requests, {cost['received']:,} bytes; layer 0 is a chunk of "
        f"{cost['layer0']:,} bytes, a group of latents one of {cost['group']:,}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
