"""Dependencies point down, from the face to the format. Nobody imports upwards, nothing is unpickled."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {
    "dynerf_format": ("format/dynerf_format", set[str]()),
    "dynerf_decoder": ("decoder/dynerf_decoder", {"dynerf_format"}),
    "dynerf_encoder": ("encoder/dynerf_encoder", {"dynerf_format", "dynerf_decoder"}),
    "dynerf_player": ("player/dynerf_player", {"dynerf_format", "dynerf_decoder"}),
    "dynerf": ("dynerf", {"dynerf_format", "dynerf_decoder", "dynerf_encoder", "dynerf_player"}),
}
OUTSIDE = {
    "dynerf_format": {"numpy", "msgpack", "llvmlite", "numba", "platformdirs", "zstandard"},
    "dynerf_decoder": {"numpy", "torch", "av", "jaxtyping", "numba", "triton", "llvmlite"},
    "dynerf_player": {"numpy", "torch", "av", "aiohttp", "jaxtyping", "yarl"},
    "dynerf_encoder": {"numpy", "torch", "av", "jaxtyping", "jinja2", "safetensors", "ray"},
    "dynerf": {"numpy", "torch", "rich"},
}


def imported(path: Path) -> set[str]:
    """Top-level names of the packages a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_lies_below_it_and_its_own_libraries(room: str) -> None:
    folder, below = ROOMS[room]
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    allowed = {room} | below | OUTSIDE[room] | set(sys.stdlib_module_names)
    for path in files:
        assert imported(path) <= allowed, path


def test_all_rooms_and_nothing_else_are_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted(folder for folder, _ in ROOMS.values())
    inits = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("*/dynerf_*/__init__.py")}
    assert inits <= set(packages)


def test_nothing_is_unpickled() -> None:
    for folder, _ in ROOMS.values():
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not imported(path) & {"pickle", "dill", "shelve", "marshal", "torchvision"}, path
            assert "torch.load" not in text, path
            assert "allow_pickle=True" not in text, path


@pytest.mark.parametrize("statement", ["import dynerf", "import dynerf.cli.main", "import dynerf_format"])
def test_torch_is_loaded_only_by_those_who_compute(statement: str) -> None:
    script = f"import sys; {statement}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
