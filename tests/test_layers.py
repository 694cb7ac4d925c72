"""Imports run one way: between packages, and between the rooms (folders) of a package. Nothing is unpickled.

The ``__init__`` of a room ends with the rooms that it imports; the code must agree, and there is no circle.
"""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "dynerf_format": ("format/dynerf_format", set[str]()),
    "dynerf_decoder": ("decoder/dynerf_decoder", {"dynerf_format"}),
    "dynerf_encoder": ("encoder/dynerf_encoder", {"dynerf_format", "dynerf_decoder"}),
    "dynerf_player": ("player/dynerf_player", {"dynerf_format", "dynerf_decoder"}),
    "dynerf": ("dynerf", {"dynerf_format", "dynerf_decoder", "dynerf_encoder", "dynerf_player"}),
}
OUTSIDE = {
    "dynerf_format": {"numpy", "msgpack", "llvmlite", "numba", "platformdirs", "zstandard"},
    "dynerf_decoder": {"numpy", "torch", "av", "jaxtyping", "numba", "triton", "llvmlite"},
    "dynerf_player": {"numpy", "torch", "av", "aiohttp", "jaxtyping", "jinja2", "yarl"},
    "dynerf_encoder": {"numpy", "torch", "av", "jaxtyping", "jinja2", "safetensors", "ray"},
    "dynerf": {"numpy", "torch", "rich"},
}
_IMPORTS = re.compile(r"^Imports: (.*)\.$", re.MULTILINE | re.DOTALL)
_NOTHING = "nothing of this package"


def imports_of(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """All import statements of a file, wherever they stand."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def imported(path: Path) -> set[str]:
    """Top-level names of the packages that a file imports."""
    names: set[str] = set()
    for node in imports_of(path):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


def folder_of(package: str) -> Path:
    """Where a package lies."""
    return ROOT / PACKAGES[package][0]


def rooms_of(package: str) -> dict[str, Path]:
    """The rooms of a package: the path below it of every folder with an ``__init__``."""
    top = folder_of(package)
    return {
        init.parent.relative_to(top).as_posix(): init.parent
        for init in sorted(top.rglob("__init__.py"))
        if init.parent != top
    }


def rooms_imported(package: str, room: str) -> set[str]:
    """The other rooms of its package that a room's files import."""
    top = folder_of(package)
    found: set[str] = set()
    for path in (top / room).glob("*.py"):
        for node in imports_of(path):
            if isinstance(node, ast.ImportFrom):
                found |= _rooms(node, package, path)
    return found - {room, "."}


def _rooms(node: ast.ImportFrom, package: str, path: Path) -> set[str]:
    top = folder_of(package)
    if node.level:
        base = path.parents[node.level - 1].relative_to(top).parts
    elif node.module and node.module.split(".")[0] == package:
        base = ()
    else:
        return set()
    names = (node.module or "").split(".")
    target = top.joinpath(*base, *(names if node.level else names[1:]))
    if not target.is_dir():
        target = target.parent
    return {target.relative_to(top).as_posix()}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_lies_below_it_and_its_own_libraries(package: str) -> None:
    folder, below = PACKAGES[package]
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    allowed = {package} | below | OUTSIDE[package] | set(sys.stdlib_module_names)
    for path in files:
        assert imported(path) <= allowed, path


@pytest.mark.parametrize(
    ("package", "room"), [(package, room) for package in PACKAGES for room in rooms_of(package)]
)
def test_a_room_states_what_it_imports(package: str, room: str) -> None:
    text = ast.get_docstring(ast.parse((folder_of(package) / room / "__init__.py").read_text())) or ""
    stated = _IMPORTS.search(text)
    assert stated is not None, "its __init__ does not end with a line 'Imports: ...'"
    names = " ".join(stated[1].split())
    declared = set() if names == _NOTHING else set(names.split(", "))
    assert declared == rooms_imported(package, room)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_rooms_form_a_circle(package: str) -> None:
    graph = {room: rooms_imported(package, room) for room in rooms_of(package)}
    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_name_occurs_twice_in_a_package(package: str) -> None:
    names = Counter(path.name for path in folder_of(package).rglob("*.py") if path.name != "__init__.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_no_class_name_occurs_twice() -> None:
    names: Counter[str] = Counter()
    for package in PACKAGES:
        for path in folder_of(package).rglob("*.py"):
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            names.update(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert [name for name, count in names.items() if count > 1 and not name.startswith("_")] == []


def test_all_packages_and_nothing_else_are_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted(folder for folder, _ in PACKAGES.values())
    inits = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("*/dynerf_*/__init__.py")}
    assert inits <= set(packages)


def test_nothing_is_unpickled() -> None:
    for package in PACKAGES:
        for path in folder_of(package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not imported(path) & {"pickle", "dill", "shelve", "marshal", "torchvision"}, path
            assert "torch.load" not in text, path
            assert "allow_pickle=True" not in text, path


@pytest.mark.parametrize("statement", ["import dynerf", "import dynerf.cli.main", "import dynerf_format"])
def test_torch_is_loaded_only_where_it_computes(statement: str) -> None:
    script = f"import sys; {statement}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
