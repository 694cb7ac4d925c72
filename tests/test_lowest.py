"""``make lowest`` installs exactly the lower bounds of ``pyproject.toml``."""

import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from support.video import ROOT


def _printed(pyproject: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci" / "lowest.py"), str(pyproject)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_requirement_becomes_its_lower_bound(tmp_path: Path) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(
        """
        [build-system]
        requires = ["hatchling>=1.27"]
        [project]
        name = "dynerf"
        dependencies = ["numpy>=2.0,<4"]
        [project.optional-dependencies]
        dev = ["dynerf[cluster]", "atheris>=3.0; sys_platform == 'linux'"]
        cluster = ["ray>=2.40"]
        """
    )
    assert _printed(pyproject).stdout.splitlines() == [
        "hatchling==1.27", "numpy==2.0", 'atheris==3.0; sys_platform == "linux"', "ray==2.40",
    ]  # fmt: skip


@pytest.mark.parametrize("requirement", ["numpy", "numpy==2.0", "numpy<3"])
def test_a_requirement_without_a_lower_bound_is_refused(requirement: str, tmp_path: Path) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(
        f'[build-system]\nrequires = []\n[project]\nname = "dynerf"\ndependencies = ["{requirement}"]\n'
        "[project.optional-dependencies]\n"
    )
    ran = _printed(pyproject)
    assert ran.returncode == 1
    assert f"found '{requirement}', expected one lower bound, name>=version" in ran.stderr


def test_the_pinned_versions_are_not_below_the_lower_bounds() -> None:
    ran = _printed(ROOT / "pyproject.toml")
    assert (ran.returncode, ran.stderr) == (0, "")
    lowest = [Requirement(line) for line in ran.stdout.splitlines()]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {_name(name): Version(version) for name, _, version in (line.partition("==") for line in lines)}
    for requirement in lowest:
        version = str(requirement.specifier).removeprefix("==")
        assert pinned[_name(requirement.name)] >= Version(version), requirement


def _name(name: str) -> str:
    return name.lower().replace("_", "-")
