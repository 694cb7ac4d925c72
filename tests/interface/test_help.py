"""The command: help, version, one-line errors, and the library's public names."""

import ast
import importlib
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import dynerf
from dynerf_format.version import __version__
from support.command import run
from support.video import ROOT, run_child

COMMANDS = (
    "encode", "decode", "eval", "info", "verify", "repair", "cut", "join", "serve", "play",
)  # fmt: skip


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_pages_fit_80_columns_and_have_examples(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ran = run(*command.split(), "--help")
    assert (ran.status, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) < 80
    assert "%%" not in ran.out
    assert "%(" not in ran.out
    expected = COMMANDS if not command else ("examples:", f"  dynerf {command} ")
    for text in expected:
        assert text in ran.out


def test_help_names_every_option_of_the_manual() -> None:
    encode = run("encode", "--help").out
    for option in (
        "--preset", "--field", "--device", "--frames", "--hold-out", "--downscale", "--space", "--seed",
        "--quality", "--target-size",
        "--time-limit", "--config", "--set", "--resume", "preview", "paper", "perspective", "section",
    ):  # fmt: skip
        assert option in encode
    decode = run("decode", "--help").out
    for option in (
        "--view", "--frames", "--time", "--speed", "--freeze", "--fps", "--size", "--depth", "_%04d.png",
        "spiral", "orbit", "still:", ".json",
    ):  # fmt: skip
        assert option in decode


def test_help_explains_serving_behind_a_proxy() -> None:
    serve = " ".join(run("serve", "--help").out.split())
    assert "refused: --allow-origin states the address that browsers use" in serve
    assert "that of a proxy or a tunnel, or a name in the local network" in serve
    assert "--token [TEXT]" in serve


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("", "COMMAND"),
        ("bogus", "'bogus'"),
        ("encode", "CAPTURE, -o/--output"),
        ("decode clip.dnv", "-o/--output"),
        ("decode clip.dnv -o x.mp4 --bogus", "--bogus"),
        ("decode clip.dnv -o x.mp4 --vie cam00", "--vie"),
        ("decode clip.dnv -o x.mp4 --frames 0:1 --time 0:1", "not allowed with"),
        ("decode clip.dnv -o x.mp4 --speed fast", "'fast', expected a number"),
        ("decode clip.dnv -o x.mp4 --freeze nan", "'nan', expected a number"),
        ("encode in -o x.dnv --device tpu", "'tpu'"),
        ("encode in -o x.dnv --preset best", "'best'"),
        ("encode in -o x.dnv --downscale 0", "'0', expected a whole number from 1"),
        ("encode in -o x.dnv --downscale 1.5", "'1.5', expected a whole number"),
        ("encode in -o x.dnv --threads 100000", "'100000', expected a whole number from 1 to 1024"),
        ("encode in -o x.dnv --seed -1", "'-1', expected a whole number from 0"),
        ("encode in -o x.dnv --time-limit 3x", "'3x', expected a duration such as 90, 90s, 3m, 2h or 1h30m"),
        ("encode in -o x.dnv --quality 0", "'0', expected a whole number from 1 to 10"),
        ("encode in -o x.dnv --quality 7.5", "'7.5', expected a whole number from 1 to 10"),
        ("encode in -o x.dnv --target-size 2TB", "'2TB', expected a size such as 500kB or 2MB"),
        ("encode in -o x.dnv --target-size 0", "'0', expected a size"),
        ("encode in -o x.dnv --target-size -2MB", "--target-size"),
        ("encode in -o x.dnv --target-size 9GB", "'9GB', expected a size"),
        ("encode in -o x.dnv --target-size 2MB --quality 3", "not allowed with"),
        ("encode in -o x.dnv --time-limit 0", "'0', expected a duration"),
        ("eval clip.dnv in --every 0", "'0', expected a whole number from 1"),
        (f"eval clip.dnv in --every {'9' * 5000}", "'999"),
    ],
)
def test_an_invalid_option_is_reported_in_one_line(arguments: str, found: str) -> None:
    ran = run(*arguments.split())
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert found in ran.err
    assert len(ran.err) < 300


def test_the_version_is_defined_once() -> None:
    assert run("--version").out == f"dynerf {__version__}\n"
    assert dynerf.__version__ == __version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "format/dynerf_format/version.py"
    written = [path for path in _modules() if "\n__version__ = " in path.read_text()]
    assert [path.name for path in written] == ["version.py"]


def test_public_names_exist() -> None:
    for path in _modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names = ast.literal_eval(node.value)
                module = importlib.import_module(".".join(_module_name(path)))
                assert len(set(names)) == len(names), path
                assert [name for name in names if not hasattr(module, name)] == [], path


def test_python_m_dynerf_is_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "dynerf", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"dynerf {__version__}\n"


def test_info_needs_no_torch(clip: Path) -> None:
    code = """
        import sys
        from dynerf.cli.main import main
        status = main(["info", sys.argv[1]])
        heavy = {"torch", "av", "dynerf_decoder", "dynerf_encoder"} & set(sys.modules)
        sys.exit(f"imported {heavy}" if heavy else status)
    """
    ran = run_child(textwrap.dedent(code), clip)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "6 frames at 30 fps" in ran.stdout


def _modules() -> list[Path]:
    packages = (ROOT / "dynerf", ROOT / "format", ROOT / "decoder", ROOT / "encoder")
    return [path for package in packages for path in package.rglob("*.py")]


def _module_name(path: Path) -> list[str]:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] != "dynerf":
        del parts[0]
    return parts[:-1] if parts[-1] == "__init__" else parts
