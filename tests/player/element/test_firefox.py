"""The element in Firefox, as installed on the system.

Its headless mode has no WebGL without a GPU, so it runs on a virtual screen, with Mesa's llvmpipe. There is
no driver: the page reports by its requests.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from support.fake_server import POLICY
from support.range_host import RangeHost, hosting

if TYPE_CHECKING:
    from support.planes_clip import PlanesClip

pytestmark = pytest.mark.extensive
_FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
_SCREEN = shutil.which("Xvfb")
_WEB = Path(__file__).parents[3] / "player" / "dynerf_player" / "web"
_PATIENCE = 120  # seconds, for a busy machine
_PAGE = b"""<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="module" src="/report.js"></script>
<body><dynerf-player id="picture" src="/board.dnv" preload="auto" loading="eager"></dynerf-player></body>"""
_SCRIPT = b"""
import "/web/element/dynerf_player.js";
const player = document.getElementById("picture");
const report = (name, value) => fetch(`/report/${name}/${encodeURIComponent(value)}`);
player.addEventListener("error", () => report("error", player.error.message));
document.addEventListener("securitypolicyviolation", (event) => report("violation", event.violatedDirective));
player.addEventListener("canplaythrough", async () => {
  const { width } = await createImageBitmap(await player.toBlob());
  const { renderer } = await player.getStats();
  await report("picture", `${renderer} ${width}`);
  player.playbackRate = 0.5;
  await player.play();
}, { once: true });
player.addEventListener("ended", () => report("ended", player.currentTime === player.duration));
"""
# Without questions and updates, and with WebGL on a software renderer.
_PREFERENCES = """
user_pref("webgl.force-enabled", true);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
"""


@pytest.mark.skipif(not _FIREFOX or not _SCREEN, reason="needs Firefox (apt-get install firefox-esr xvfb)")
def test_a_clip_is_rendered_and_plays_to_its_end_in_firefox(made: "PlanesClip", tmp_path: Path) -> None:
    files = {"/index.html": _PAGE, "/report.js": _SCRIPT, "/board.dnv": made.data}
    host = RangeHost(files=files, folders={"/web/": _WEB}, headers={"Content-Security-Policy": POLICY})
    with (
        hosting(host),
        screen() as display,
        firefox(tmp_path, display, f"{host.address}/index.html") as process,
    ):
        reports = wait_for_reports(host, process)
    assert reports == ["picture/browser 64", "ended/true"]


@contextmanager
def running(command: list[str], **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A program until the end of the block."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "LIBGL_ALWAYS_SOFTWARE": "1", **environment},
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def screen() -> Iterator[str]:
    """A virtual screen; yields the display's name."""
    with running([str(_SCREEN), "-displayfd", "1", "-screen", "0", "800x600x24"]) as process:
        assert process.stdout is not None
        yield f":{process.stdout.readline().decode().strip()}"


@contextmanager
def firefox(profile: Path, display: str, address: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Firefox with a profile of its own, at an address."""
    (profile / "user.js").write_text(_PREFERENCES, encoding="utf-8")
    command = [str(_FIREFOX), "--no-remote", "--profile", str(profile), address]
    with running(command, DISPLAY=display, HOME=str(profile)) as process:
        yield process


def wait_for_reports(host: RangeHost, process: "subprocess.Popen[bytes]") -> list[str]:
    """What the page reported until it ended, failed, or took too long."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        reports = [unquote(p.removeprefix("/report/")) for p, _ in host.requests if p.startswith("/report/")]
        if any(not each.startswith("picture/") for each in reports):
            return reports
        time.sleep(0.2)
    pytest.fail(f"Firefox reported nothing more than {[path for path, _ in host.requests]}")
