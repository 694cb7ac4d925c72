"""Imports run one way: between packages, and between the rooms (folders) of a package. Nothing is unpickled.

The ``__init__`` of a room ends with the rooms that it imports; the code must agree. No rooms form a circle,
nor do the files and rooms of one folder, where a room counts with all that lies below it. Names of files
and classes are unique, also in the player's page (``web``), whose rooms ``rooms.test.mjs`` checks.
"""

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
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
    "dynerf_encoder": {"numpy", "torch", "av", "jaxtyping", "jinja2", "pycolmap", "safetensors", "ray"},
    "dynerf": {"numpy", "torch", "rich"},
}
WEB = ROOT / "player/dynerf_player/web"
_PAGE_FILES = {".js", ".css", ".html"}
_IMPORTS = re.compile(r"^Imports: (.*)\.$", re.MULTILINE | re.DOTALL)
_NOTHING = "nothing of this package"
_JAVASCRIPT_CLASS = re.compile(r"^\s*(?:export (?:default )?|return )?class (\w+)", re.MULTILINE)


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
    used = {used.parent for user, used in arrows(package) if user.parent == top / room}
    return {folder.relative_to(top).as_posix() for folder in used} - {room, "."}


@cache
def arrows(package: str) -> frozenset[tuple[Path, Path]]:
    """Which file of a package imports which other one of it; for a folder that is its ``__init__``."""
    found = {
        (path, file_of(name, package))
        for path in folder_of(package).rglob("*.py")
        for node in imports_of(path)
        for name in names_in(node, path, package)
        if name.split(".")[0] == package
    }
    return frozenset((user, used) for user, used in found if user != used)


def names_in(node: ast.Import | ast.ImportFrom, path: Path, package: str) -> Iterator[str]:
    """The absolute names that a statement imports: of modules, or of what modules define."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    parts = [] if node.module is None else [node.module]
    if node.level:
        parts = [package, *path.parents[node.level - 1].relative_to(folder_of(package)).parts, *parts]
    yield from (".".join([*parts, alias.name]) for alias in node.names)


def file_of(name: str, package: str) -> Path:
    """The file of a module, or of the module that defines a name."""
    place = folder_of(package).joinpath(*name.split(".")[1:])
    for candidate in (place, place.parent):
        for file in (candidate.with_suffix(".py"), candidate / "__init__.py"):
            if file.is_file():
                return file
    raise AssertionError(f"{name} is not found")


def repeated(names: Iterable[str]) -> list[str]:
    """The names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]


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


@pytest.mark.parametrize(
    ("package", "folder"), [(package, folder) for package in PACKAGES for folder in (".", *rooms_of(package))]
)
def test_nothing_within_a_folder_forms_a_circle(package: str, folder: str) -> None:
    inside = folder_of(package) / folder
    imports: dict[tuple[str, str], list[str]] = {}
    for arrow in arrows(package):
        if all(inside in path.parents for path in arrow):
            one, other = (path.relative_to(inside).parts[0] for path in arrow)
            if one != other:
                user, used = (path.relative_to(inside).as_posix() for path in arrow)
                imports.setdefault((one, other), []).append(f"{user} imports {used}")
    while loose := {
        step
        for step in imports
        if step[0] not in {used for _, used in imports} or step[1] not in {user for user, _ in imports}
    }:
        imports = {step: lines for step, lines in imports.items() if step not in loose}
    circular = sorted(line for lines in imports.values() for line in lines)
    assert not circular, "\n".join(circular)


def test_only_commands_use_the_public_functions() -> None:
    """``import dynerf`` is what programs write, and the command line is one; all below it imports modules."""
    users = {
        path.relative_to(ROOT).parent.as_posix()
        for package in PACKAGES
        for path in folder_of(package).rglob("*.py")
        for node in imports_of(path)
        for name in names_in(node, path, package)
        if name.split(".")[0] == "dynerf" and file_of(name, "dynerf") == folder_of("dynerf") / "__init__.py"
    }
    assert users == {"dynerf/commands"}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_name_occurs_twice_in_a_package(package: str) -> None:
    files = folder_of(package).rglob("*.py")
    assert repeated(path.name for path in files if path.name != "__init__.py") == []


def test_no_file_name_occurs_twice_in_the_page() -> None:
    assert repeated(path.name for path in WEB.rglob("*") if path.suffix in _PAGE_FILES) == []


def test_no_class_name_occurs_twice() -> None:
    nodes = (
        node
        for package in PACKAGES
        for path in folder_of(package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )
    classes = [node.name for node in nodes if isinstance(node, ast.ClassDef)]
    assert repeated(classes) == []


def test_no_class_name_occurs_twice_in_the_page() -> None:
    classes = [
        name
        for path in WEB.rglob("*.js")
        for name in _JAVASCRIPT_CLASS.findall(path.read_text(encoding="utf-8"))
    ]
    assert len(classes) > 50
    assert repeated(classes) == []


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
