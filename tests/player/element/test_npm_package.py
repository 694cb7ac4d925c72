"""The npm package: built, packed, installed from the tarball into a page, and driven by Media Chrome."""

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.fake_server import POLICY
from support.node import missing_node
from support.range_host import RangeHost, hosting
from support.video import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from support.planes_clip import PlanesClip

pytestmark = pytest.mark.extensive
_UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "E404", "ECONNREFUSED")  # of npm
BUDGET = 60_000  # bytes, gzipped, of decoder, renderer and element
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="module" src="node_modules/media-chrome/dist/index.js"></script>
<script type="module" src="node_modules/dynerf-player/dynerf_player.js"></script></head>
<body><media-controller id="controller">
<dynerf-player id="picture" slot="media" src="board.dnv" preload="auto" loading="eager"></dynerf-player>
<media-loading-indicator slot="centered-chrome"></media-loading-indicator>
<media-control-bar><media-play-button></media-play-button><media-time-range></media-time-range>
<media-time-display showduration></media-time-display><media-mute-button></media-mute-button>
<media-volume-range></media-volume-range>
<media-playback-rate-button></media-playback-rate-button></media-control-bar></media-controller></body></html>"""


def run(folder: Path, *command: str) -> str:
    """Run a command; the test is skipped when npm cannot fetch."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    output = result.stdout + result.stderr
    if result.returncode and any(
        text in output for text in ("ENOTFOUND", "EAI_AGAIN", "E404", "ECONNREFUSED")
    ):
        pytest.skip(f"npm cannot fetch: {output[-200:]}")
    assert result.returncode == 0, output[-2000:]
    return result.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's folder."""
    if reason := missing_node():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("npm") / "package"
    run(ROOT, sys.executable, str(ROOT / "player" / "npm" / "build.py"), str(folder))
    return folder


@pytest.fixture(scope="module")
def project(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has the package's tarball and Media Chrome installed."""
    folder = tmp_path_factory.mktemp("project")
    packed = json.loads(run(package, "npm", "pack", "--json", "--pack-destination", str(folder)))
    tarball = next(folder.glob("*.tgz"))
    files = {entry["path"] for entry in (packed[0] if isinstance(packed, list) else packed)["files"]}
    assert {
        "package.json",
        "dynerf_player.js",
        "index.d.ts",
        "README.md",
        "LICENSE",
        "fzstd.LICENSE.txt",
    } <= files
    (folder / "package.json").write_text('{"private": true}')
    run(folder, "npm", "install", "--no-audit", "--no-fund", str(tarball), "media-chrome@4")
    return folder


@pytest.fixture(scope="module")
def host(project: Path, made: "PlanesClip") -> Iterator[RangeHost]:
    """The project with a page, under a strict policy; Media Chrome writes inline styles."""
    policy = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
    files = {"/index.html": _PAGE.encode(), "/board.dnv": made.data}
    host = RangeHost(files=files, folders={"/": project}, headers={"Content-Security-Policy": policy})
    with hosting(host):
        yield host


def test_the_modules_are_small(package: Path) -> None:
    """All that is loaded where a clip has no sound, no server renders, and another bar has the controls."""
    modules = imported_modules(package, "dynerf_player.js", "worker.js")
    optional = {path.name for path in package.glob("*.js")} - modules
    assert {name.partition("-")[0] for name in optional} == {"server_renderer", "clip_sound", "control_bar"}
    size = sum(len(gzip.compress((package / name).read_bytes(), 9, mtime=0)) for name in modules)
    assert size <= BUDGET


def imported_modules(package: Path, *names: str) -> set[str]:
    """Modules and all that they import statically."""
    found: set[str] = set()
    remaining = list(names)
    while remaining:
        name = remaining.pop()
        if name not in found:
            found.add(name)
            text = (package / name).read_text(encoding="utf-8")
            remaining += re.findall(r'(?:from|import)"\./([^"]+)"', text)
    return found


def test_the_types_are_valid(package: Path, tmp_path: Path) -> None:
    source = tmp_path / "use.ts"
    source.write_text(
        'import { DynerfPlayer } from "./package/index.js";\n'
        'const player: DynerfPlayer = document.createElement("dynerf-player");\n'
        'player.addEventListener("camera-change", ({ detail }) => detail.source);\n'
        "const blob: Promise<Blob> = player.toBlob();\n"
    )
    (tmp_path / "package").symlink_to(package)
    run(
        tmp_path, "npm", "exec", "--yes", "--package=typescript@5.9", "--", "tsc", "--noEmit", "--strict",
        "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "use.ts",
    )  # fmt: skip


def test_the_tarball_plays_in_a_page_and_media_chrome_drives_it(page: "Page", host: RangeHost) -> None:
    page.goto(f"{host.address}/index.html")
    page.wait_for_selector('#picture[data-final="true"]')
    page.wait_for_selector("#controller[mediaduration]")
    assert page.evaluate("document.getElementById('picture').renderer") == "browser"
    page.evaluate("document.getElementById('picture').loop = true")
    page.click("media-play-button")
    page.wait_for_selector("#controller:not([mediapaused])")
    page.wait_for_function("() => document.getElementById('picture').currentTime > 0")
    page.click("media-play-button")
    page.wait_for_selector("#controller[mediapaused]")
    page.click("media-mute-button")
    page.wait_for_function("() => document.getElementById('picture').muted")
    page.evaluate(
        "document.querySelector('media-volume-range').dispatchEvent(new CustomEvent('mediavolumerequest',"
        " { composed: true, bubbles: true, detail: 0.4 }))"
    )
    page.wait_for_function("() => Math.abs(document.getElementById('picture').volume - 0.4) < 1e-6")
    page.click("media-playback-rate-button")
    page.wait_for_function("() => document.getElementById('picture').playbackRate !== 1")
    page.evaluate(
        "document.querySelector('media-time-range').dispatchEvent(new CustomEvent('mediaseekrequest',"
        " { composed: true, bubbles: true, detail: 0.1 }))"
    )
    page.wait_for_function("() => Math.abs(document.getElementById('picture').currentTime - 0.1) < 1e-6")
    page.wait_for_function("() => !document.getElementById('picture').seeking")
    page.wait_for_selector('media-time-display[mediacurrenttime="0.1"]')
    shows_loading_until_there_is_a_picture(page)


def shows_loading_until_there_is_a_picture(page: "Page") -> None:
    """The indicator follows ``waiting``, ``playing`` and the ready state of a clip that is opened anew."""
    states = page.evaluate(
        """async () => {
          const [indicator, player] = [document.querySelector('media-loading-indicator'), picture];
          const states = [];
          new MutationObserver(() => states.push(indicator.hasAttribute('medialoading')))
            .observe(indicator, { attributes: true, attributeFilter: ['medialoading'] });
          const src = player.src;
          player.src = '';
          player.src = src;
          await player.play();
          while (indicator.hasAttribute('medialoading')) await new Promise(requestAnimationFrame);
          return states;
        }"""
    )
    assert states[0] is True
    assert states[-1] is False
