"""Builds the npm package of the element from the page's modules.

    python player/npm/build.py FOLDER

FOLDER gets two minified entry modules (the element, and one for its workers), the modules they share,
types, licences and package.json. esbuild and terser are fetched by npm; nothing is left in this folder.
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from dynerf_format.version import __version__

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WEB = ROOT / "player" / "dynerf_player" / "web"
ENTRIES = ("element/dynerf_player.js", "worker/worker.js")
OWN = ("modules.js", "worker.js")  # replace or join the page's modules in worker/
TOOLS = ("esbuild@0.28.2", "terser@5.44.1")
_TERSER = ("--module", "--compress", "passes=3,ecma=2022,unsafe_arrows=true,unsafe_methods=true", "--mangle")


class BuildError(Exception):
    """The package cannot be built; the message says why."""


def build(folder: Path) -> None:
    """Write the package into a folder, which is created or must be empty. Raises BuildError."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BuildError(f"{folder}: is not empty")
    with tempfile.TemporaryDirectory() as temporary:
        tools = _install(Path(temporary))
        _bundle(tools, _modules(Path(temporary) / "web"), folder)
        for path in sorted(folder.glob("*.js")):
            _run(tools / "terser", str(path), *_TERSER, "--output", str(path))
    _write_package(folder)


def _install(folder: Path) -> Path:
    """Install the tools; returns where their commands are."""
    _run("npm", "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(folder), *TOOLS)
    return folder / "node_modules" / ".bin"


def _modules(folder: Path) -> Path:
    """Copy the page's modules, with those that the package has of its own; returns the folder.

    Without indentation, and those that render without comments at the end of lines: of the text of styles and
    shaders esbuild removes neither.
    """
    shutil.copytree(WEB, folder)
    for path in folder.rglob("*.js"):
        text = re.sub(r"^ +", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        if path.parent.name == "render":
            text = re.sub(r" // .*", "", text)
        path.write_text(text, encoding="utf-8")
    for name in OWN:
        shutil.copyfile(HERE / name, folder / "worker" / name)
    return folder


def _bundle(tools: Path, web: Path, folder: Path) -> None:
    """Workers are found beside the module that starts them, so all modules lie in one folder."""
    _run(
        tools / "esbuild", *(str(web / entry) for entry in ENTRIES), "--bundle", "--splitting", "--minify",
        "--format=esm", "--entry-names=[name]", "--chunk-names=[name]-[hash]",
        "--legal-comments=none", f"--outdir={folder}",
    )  # fmt: skip


def _write_package(folder: Path) -> None:
    record = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    record["version"] = npm_version(__version__)
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (folder / "package.json").write_text(text, encoding="utf-8")
    for name in ("README.md", "index.d.ts"):
        shutil.copyfile(HERE / name, folder / name)
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
    shutil.copyfile(WEB / "dnv" / "vendor" / "fzstd.LICENSE.txt", folder / "fzstd.LICENSE.txt")


def npm_version(version: str) -> str:
    """A Python version as npm writes it: 0.3.0.dev1 -> 0.3.0-dev.1."""
    match = re.fullmatch(r"(\d+\.\d+\.\d+)(?:\.?(dev|a|b|rc)(\d+))?", version)
    if match is None:
        raise BuildError(f"version {version}: expected MAJOR.MINOR.PATCH, with a suffix dev, a, b or rc")
    return match[1] if match[2] is None else f"{match[1]}-{match[2]}.{match[3]}"


def _run(*command: object) -> None:
    arguments = [str(part) for part in command]
    try:
        run = subprocess.run(arguments, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"{arguments[0]}: cannot be started: {error.strerror}") from error
    if run.returncode:
        raise BuildError(f"{Path(arguments[0]).name} failed: {(run.stderr or run.stdout).strip()[-500:]}")


def main() -> None:
    """Build the package named on the command line."""
    parser = argparse.ArgumentParser(description="build the npm package of <dynerf-player>")
    parser.add_argument("folder", type=Path, help="where to write it")
    try:
        build(parser.parse_args().folder)
    except BuildError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
