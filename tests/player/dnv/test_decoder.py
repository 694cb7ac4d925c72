"""The decoder in JavaScript, under Node.js: equal to that in Python on sample files and on damaged ones."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import tomllib
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zstandard

from dynerf_format import Chunk, Limits, clip_bytes, latents_chunk, quantise, weights_chunks
from dynerf_format.coding.parametric_tables import ParametricTable, smooth_frequencies
from support.clips import lcg_bytes, moving_weights, repository, small_header
from support.mutations import Damaged, damaged_clips, outcome
from support.node import missing_node

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

MODULES = Path(__file__).parent / "modules"
VECTORS = repository(Path(__file__)) / "format" / "vectors"
LIMITS = Limits(chunk_bytes=2**20, elements=2**18)
SEEDS = (
    "continued", "framed_header", "layered", "mixed_tables", "newer_minor", "occupancy", "smallest",
    "sound", "two_segments", "wide_symbols",
)  # fmt: skip
BATCH = 5000  # files
ATTACK = "in JavaScript, compared with Python"


@pytest.fixture(autouse=True)
def _node() -> None:
    if reason := missing_node():
        pytest.skip(reason)


def run_node(folder: Path, files: Iterable[Path]) -> str:
    """Run the tests of JavaScript files on what a folder holds; return their output."""
    command = ["node", "--test", "--test-reporter=tap", *map(str, files)]
    run = subprocess.run(
        command,
        env={**os.environ, "DYNERF_DNV_FOLDER": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def write_batch(folder: Path, damaged: Iterable[Damaged]) -> int:
    """Write damaged files, and what Python makes of them; return their number."""
    files: list[dict[str, Any]] = []
    with (folder / "mutations.bin").open("wb") as stream:
        for one in damaged:
            expected = outcome(one.data, LIMITS)
            files.append(
                {
                    "category": one.category,
                    "length": len(one.data),
                    "expected": None if one.framed else expected,
                }
            )
            stream.write(one.data)
    limits = {"chunkBytes": LIMITS.chunk_bytes, "elements": LIMITS.elements}
    (folder / "mutations.json").write_text(json.dumps({"limits": limits, "files": files}), encoding="utf-8")
    return len(files)


def seeds() -> list[bytes]:
    return [(VECTORS / f"{name}.dnv").read_bytes() for name in SEEDS]


def frames() -> list[dict[str, str]]:
    """Zstandard frames of the reference library: levels, contents, with and without checksum."""
    noise = lcg_bytes(70_000).astype(np.uint8)
    contents = [
        b"a", b"abc" * 50, bytes(1000), noise[:3000].tobytes(), (noise[:20_000] // 64).tobytes(),
        bytes(200_000), np.repeat(noise[:5000] // 16, 40).tobytes(), noise.tobytes() + bytes(70_000),
    ]  # fmt: skip
    found = []
    for content in contents:
        for level in (-5, 1, 3, 6, 9, 15, 19, 22):
            for checksum in (False, True):
                stored = zstandard.ZstdCompressor(level=level, write_checksum=checksum).compress(content)
                record = {"stored": stored, "content": content}
                found.append({key: base64.b64encode(one).decode() for key, one in record.items()})
    return found


def key_segments() -> bytes:
    """A clip of five segments in three layers, none of which builds on another."""
    chunks: list[Chunk] = []
    for number in range(5):
        base, *finer = weights_chunks(
            number, moving_weights(number), {"planes.0": (3, 2), "head.weight": (4,)}
        )
        chunks += [base, latents_chunk(number, number, quantise("latents", [[number]], 1.0)), *finer]
    return clip_bytes(small_header((1,) * 5), chunks)


def smooth_tables(tokens: int) -> str:
    """The SHA-256 of the smooth tables of all shapes and scales."""
    digest = hashlib.sha256()
    for shape in range(1, 33):
        for scale in range(256):
            table = smooth_frequencies(ParametricTable(shape, scale, tokens))
            digest.update(table.astype("<u2").tobytes())
    return digest.hexdigest()


@pytest.mark.long
def test_the_modules_pass_their_tests_and_decode_as_python_does(tmp_path: Path, tried: Counter[str]) -> None:
    (tmp_path / "frames.json").write_text(json.dumps(frames()), encoding="utf-8")
    (tmp_path / "smooth.json").write_text(
        json.dumps({tokens: smooth_tables(tokens) for tokens in (17, 192)}), encoding="utf-8"
    )
    (tmp_path / "key_segments.dnv").write_bytes(key_segments())
    tried[ATTACK] += (count := write_batch(tmp_path, damaged_clips(seeds(), 500)))
    assert count > 500
    output = run_node(tmp_path, sorted(MODULES.glob("*.test.mjs")))
    vectors = len(list(VECTORS.glob("*.dnv")))
    assert len(re.findall(r"^ok \d+ - \S+\.dnv(: tensors| is refused)", output, re.M)) == vectors
    assert re.search(r"^# skipped 0$", output, re.M)


@pytest.mark.extensive
@pytest.mark.timeout(1800)
def test_fifty_thousand_damaged_files_give_what_they_give_in_python(
    tmp_path: Path, tried: Counter[str]
) -> None:
    damaged, count = damaged_clips(seeds(), 50_000), 0
    while batch := list(islice(damaged, BATCH)):
        count += write_batch(tmp_path, batch)
        run_node(tmp_path, [MODULES / "mutations.test.mjs"])
    tried[ATTACK] += count
    assert count >= 50_000


def test_the_library_is_packaged_with_its_licence() -> None:
    vendor = repository(Path(__file__)) / "player/dynerf_player/web/dnv/vendor"
    assert "Copyright (c) 2020 Arjun Barrett" in (vendor / "fzstd.LICENSE.txt").read_text(encoding="utf-8")
    source = (vendor / "fzstd.js").read_text(encoding="utf-8")
    assert source.startswith("// fzstd 0.1.1 by Arjun Barrett, MIT licence")
    assert source.count("changed") == 7
    project = tomllib.loads((repository(Path(__file__)) / "pyproject.toml").read_text(encoding="utf-8"))
    licence = "player/dynerf_player/web/dnv/vendor/fzstd.LICENSE.txt"
    assert licence in project["project"]["license-files"]
