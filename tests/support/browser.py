"""Real Chromium for tests of the page: the one that the system installed, driven by playwright."""

import base64
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 30_000  # milliseconds, of a page on a busy machine


def why_no_browser() -> str:
    """Why there is none, or an empty string."""
    if find_spec("playwright") is None:
        return "playwright is not installed (pip install '.[dev]')"
    return "" if _CHROMIUM else "no Chromium is installed (apt-get install chromium)"


@contextmanager
def chromium() -> "Iterator[Browser]":
    """A browser without a window; needs no sandbox, so that it also runs as root in a container.

    Playwright keeps an event loop running in this thread meanwhile: no ``asyncio.run`` beside it.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(
    browser: "Browser", *, width: int = 1000, height: int = 700, phone: bool = False
) -> "Iterator[Page]":
    """A page with storage of its own. What it logs as an error, or throws, fails the test at the end."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        has_touch=phone,
        is_mobile=phone,
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(PATIENCE)
    page, errors = context.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if _is_trouble(line) else None)
    yield page
    context.close()
    assert not errors, errors


def _is_trouble(line: "ConsoleMessage") -> bool:
    """Whether the page wrote an error; what the browser notes about servers away or refusing is none."""
    refused = tuple(f"status of {status}" for status in (401, 403, 404, 503))
    expected = ("ERR_CONNECTION", "WebSocket connection", *refused)
    missing = "status of 404" in line.text and "/web/" in line.location.get("url", "")
    return line.type in ("error", "warning") and (missing or not any(text in line.text for text in expected))


def shown(page: "Page") -> np.ndarray:
    """What the canvas shows, uint8 (height, width, 3)."""
    text = page.evaluate("document.getElementById('picture').toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text.split(",")[1]))).convert("RGB"))


def wait_for_picture(page: "Page", frame: float | None = None) -> None:
    """Until a full picture is shown, of a certain frame if one is given."""
    at = "" if frame is None else f'[data-frame="{frame:.3f}"]'
    page.wait_for_selector(f'#picture[data-final="true"]{at}')


def new_picture(page: "Page", action: Callable[[], object]) -> None:
    """Do something, and wait for the full picture of a later wish."""
    before = int(page.get_attribute("#picture", "data-view") or 0)
    action()
    page.wait_for_function(
        "n => { const { view, final } = document.getElementById('picture').dataset;"
        " return Number(view) > n && final === 'true'; }",
        arg=before,
    )


def settled(page: "Page") -> None:
    """Until the picture shown answers the newest view: no other picture comes for a while."""
    view = ""
    while view != (view := page.get_attribute("#picture", "data-view") or ""):
        page.wait_for_timeout(300)


def run_module(page: "Page", module: str, body: str, argument: object = None) -> Any:
    """The value of a function body that may use everything of one of the page's modules as ``m``.

    ``argument`` is its ``x``.
    """
    return page.evaluate(f"async (x) => {{ const m = await import('/web/{module}.js'); {body} }}", argument)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """In dB, of two uint8 pictures."""
    error = np.square(a.astype(np.float64) - b.astype(np.float64)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
