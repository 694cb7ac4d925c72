"""``make`` uses the newest Python that can create an environment, or reports in one line what is needed.

Shell scripts stand in for Pythons with and without the venv module.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.video import ROOT

TOOLS = ("sh", "mkdir", "touch", "rm", "tail")

GOOD = """#!/bin/sh
case "$1" in
-c) exit 0 ;;
-m) mkdir -p .venv/bin && echo "${0##*/} $*" > .venv/bin/python ;;
esac
"""
TALKATIVE = GOOD.replace("#!/bin/sh\n", "#!/bin/sh\necho hello\n", 1)
WITHOUT_VENV = '#!/bin/sh\necho "ModuleNotFoundError: No module named ensurepip" >&2\nexit 1\n'
BROKEN_VENV = """#!/bin/sh
[ "$1" = -c ] && exit 0
mkdir -p .venv/bin && touch .venv/bin/python
echo "Error:" && echo "no space left" >&2
exit 1
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


class Checkout:
    """A folder with the Makefile, and a search path of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self._path = folder / "bin"
        self.folder.mkdir()
        self._path.mkdir()
        shutil.copy(ROOT / "Makefile", self.folder)
        for tool in TOOLS:
            (self._path / tool).symlink_to(str(shutil.which(tool)))

    def python(self, name: str, script: str) -> None:
        path = self._path / name
        path.write_text(script)
        path.chmod(0o755)

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        make = str(shutil.which("make"))
        # Neither the options nor the nesting level of the ``make test`` that runs this test.
        outer = ("PYTHON", "MAKE", "MFLAGS")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(outer)}
        return subprocess.run(
            [make, *words], cwd=self.folder, env=environment | {"PATH": str(self._path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def made_by(self, *words: str) -> str:
        """Name of the Python that created the environment."""
        ran = self.make(".venv/bin/python", *words)
        assert (ran.returncode, ran.stderr) == (0, "")
        return (self.folder / ".venv/bin/python").read_text().split()[0]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        ({"python3.11": GOOD}, "python3.11"),
        ({"python3.11": GOOD, "python3.12": GOOD, "python3.14": GOOD}, "python3.14"),
        ({"python3.9": GOOD, "python3.13": GOOD, "python3.15": GOOD}, "python3.13"),
        ({"python3.11": GOOD, "python3.14": WITHOUT_VENV}, "python3.11"),
        ({"python3.12": TALKATIVE}, "python3.12"),
    ],
)
def test_the_newest_usable_python_is_used(
    checkout: Checkout, available: dict[str, str], expected: str
) -> None:
    for name, script in available.items():
        checkout.python(name, script)
    assert checkout.made_by() == expected


def test_a_named_python_is_used(checkout: Checkout) -> None:
    checkout.python("python3.14", GOOD)
    checkout.python("other", GOOD)
    assert checkout.made_by("PYTHON=other") == "other"


@pytest.mark.parametrize("target", ["demo", "test"])
@pytest.mark.parametrize("available", [[], ["python3.11", "python3.13"]])
def test_without_a_usable_python_one_line_says_what_is_needed(
    checkout: Checkout, available: list[str], target: str
) -> None:
    for name in available:
        checkout.python(name, WITHOUT_VENV)
    (checkout.folder / "pyproject.toml").touch()
    (checkout.folder / "constraints.txt").touch()
    ran = checkout.make(target)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert "found none of python3.14 python3.13 python3.12 python3.11 that can be used: " in ran.stderr
    assert "expected Python 3.11 to 3.14 with its venv module" in ran.stderr


def test_a_named_python_that_cannot_be_used_is_reported(checkout: Checkout) -> None:
    ran = checkout.make(".venv/bin/python", "PYTHON=python3.8")
    assert ran.returncode == 2
    assert "python3.8 cannot be used: expected Python 3.11 to 3.14" in ran.stderr


def test_a_failed_environment_is_reported_and_removed(checkout: Checkout) -> None:
    checkout.python("python3.12", BROKEN_VENV)
    ran = checkout.make(".venv/bin/python")
    assert ran.returncode == 2
    assert ran.stderr.splitlines()[0] == "make: python3.12 cannot make .venv: no space left"
    assert not (checkout.folder / ".venv").exists()


def test_an_existing_environment_needs_no_python(checkout: Checkout) -> None:
    (checkout.folder / ".venv/bin").mkdir(parents=True)
    (checkout.folder / ".venv/bin/python").touch()
    ran = checkout.make(".venv/bin/python")
    assert (ran.returncode, ran.stderr) == (0, "")
