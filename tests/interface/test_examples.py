"""Runs every Python example of the documentation on a tiny capture, offline."""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

import dynerf
import dynerf.api.encode_options
import dynerf.api.encoding
from dynerf.api.quantities import parse_size
from dynerf_encoder.config.overrides import apply_assignments
from dynerf_encoder.config.presets import PresetName, preset
from dynerf_encoder.config.schema import Config, FieldKind
from support.command import SETTINGS
from support.link import serving
from support.video import ROOT

_DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("*/*.md"))]
_BLOCK = re.compile(r"^```(?:python|py)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"\n\n((?:    .*\n|\n)+)")
_TINY_BYTES = 8_000
_ASSUMED = {
    "np": np, "R": np.eye(3), "t": np.zeros(3), "pose": np.eye(3, 4),
    "height": 24, "width": 32, "focal": 30.0, "near": 1.0, "far": 9.0,
}  # fmt: skip
"""Names that fragments of the documentation assume; complete programs import what they use."""


def _examples() -> Iterator[tuple[str, str]]:
    """Name and text of each example."""
    for document in dict.fromkeys(_DOCUMENTS):
        text = document.read_text(encoding="utf-8")
        for match in _BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{document.relative_to(ROOT)}:{line}", match[1]
    for number, match in enumerate(_INDENTED.finditer(dynerf.__doc__ or "")):
        yield f"dynerf/__init__.py:{number}", re.sub(r"^    ", "", match[1], flags=re.MULTILINE)


_EXAMPLES = dict(_examples())


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Presets and target sizes for a tiny capture."""

    def tiny_preset(name: PresetName, field: FieldKind | None = None) -> Config:
        return apply_assignments(preset(name, field), [*SETTINGS, "schedule.scale=0.002"])

    def tiny_size(text: str) -> int:
        return min(parse_size(text), _TINY_BYTES)

    monkeypatch.setattr(dynerf.api.encode_options, "preset", tiny_preset)
    monkeypatch.setattr(dynerf.api.encoding, "parse_size", tiny_size)


@pytest.fixture
def lpips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-in for the package lpips, which downloads weights."""
    module = ModuleType("lpips")
    weights = {"lin0.model.1.weight": torch.ones(1, 64, 1, 1)}
    module.LPIPS = lambda **_: SimpleNamespace(state_dict=lambda: weights)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lpips", module)


def test_the_documents_have_examples() -> None:
    documents = {name.partition(":")[0] for name in _EXAMPLES}
    assert {
        "README.md",
        "docs/reference/python.md",
        "docs/reference/metrics.md",
        "dynerf/__init__.py",
    } <= documents


@pytest.mark.usefixtures("tiny", "lpips")
@pytest.mark.parametrize("name", _EXAMPLES)
def test_an_example_runs(
    name: str, clip: Path, scene: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(out)
    for copy in ("clip.dnv", "candle.dnv", "new.dnv"):
        shutil.copy(clip, copy)
    Path("capture").symlink_to(scene)
    Path("samples").mkdir()
    Path("samples/candle").symlink_to(scene)
    with serving(clip.read_bytes()) as link:
        text = re.sub(r"https://example\.org/[a-z]+\.dnv", link.address, _EXAMPLES[name])
        exec(compile(text, name, "exec"), {"__name__": "example", **({} if "import " in text else _ASSUMED)})
