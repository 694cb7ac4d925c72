"""Tests of the page in real Chromium, as installed on the system and driven by playwright."""

import base64
import io
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT_MS = 60_000  # for a page on a busy machine


def missing_browser() -> str:
    """Why no browser can be used, or an empty string."""
    if find_spec("playwright") is None:
        return "playwright is not installed (pip install '.[dev]')"
    return "" if _CHROMIUM else "no Chromium is installed (apt-get install chromium)"


@contextmanager
def chromium(*arguments: str) -> "Iterator[Browser]":
    """A headless browser, without its sandbox, so that it also runs as root in a container.

    WebGL is drawn as the arguments say, the page around it in software, which takes the least time.
    Playwright runs an event loop in this thread meanwhile, so ``asyncio.run`` cannot be used.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu-compositing", *arguments]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_context(
    browser: "Browser", *, width: int = 760, height: int = 480, phone: bool = False
) -> "Iterator[BrowserContext]":
    """Storage and cache of its own: pages that share them load the same modules once."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        has_touch=phone,
        is_mobile=phone,
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


@contextmanager
def page_of(context: "BrowserContext") -> "Iterator[Page]":
    """A new page. Errors that it logs or throws fail the test at the end."""
    page, errors = context.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if _is_error(line) else None)
    yield page
    page.close()
    assert not errors, errors


@contextmanager
def open_page(
    browser: "Browser", *, width: int = 760, height: int = 480, phone: bool = False
) -> "Iterator[Page]":
    """A page with its own storage. Errors that it logs or throws fail the test at the end."""
    with open_context(browser, width=width, height=height, phone=phone) as context, page_of(context) as page:
        yield page


def _is_error(line: "ConsoleMessage") -> bool:
    """Whether a line reports an error of the page; those about refusing or unreachable servers do not."""
    refused = tuple(f"status of {status}" for status in (401, 403, 404, 503))
    expected = ("ERR_CONNECTION", "WebSocket connection", "GPU stall due to ReadPixels", *refused)
    missing = "status of 404" in line.text and "/web/" in line.location.get("url", "")
    return line.type in ("error", "warning") and (missing or not any(text in line.text for text in expected))


_READ_PICTURE = """async () => {
  const blob = await document.getElementById('picture').toBlob();
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(blob);
  });
}"""


def canvas_image(page: "Page") -> np.ndarray:
    """The picture that the player shows, uint8 (height, width, 3)."""
    text = page.evaluate(_READ_PICTURE)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text.split(",")[1]))).convert("RGB"))


def wait_for_picture(page: "Page", frame: float | None = None) -> None:
    """Wait until a full picture is shown, of the given frame if any."""
    selector = "" if frame is None else f'[data-frame="{frame:.3f}"]'
    page.wait_for_selector(f'#picture[data-final="true"]{selector}')


def new_picture(page: "Page", action: Callable[[], object]) -> None:
    """Run an action, and wait for the full picture of a later request."""
    before = int(page.get_attribute("#picture", "data-view") or 0)
    action()
    page.wait_for_function(
        "n => { const { view, final } = document.getElementById('picture').dataset;"
        " return Number(view) > n && final === 'true'; }",
        arg=before,
    )


def wait_for_stats(page: "Page", **expected: Any) -> None:
    """Wait until the player's statistics have these values."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while True:
        found = page.evaluate("document.getElementById('picture').getStats()")
        if all(found.get(name) == value for name, value in expected.items()):
            return
        assert time.monotonic() < deadline, f"found {found}, expected {expected}"
        page.wait_for_timeout(50)


def wait_until_settled(page: "Page") -> None:
    """Wait until the picture is that of the newest view: no other one is received for a while."""
    view = ""
    while view != (view := page.get_attribute("#picture", "data-view") or ""):
        page.wait_for_timeout(300)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """PSNR of two uint8 images in dB."""
    error = np.square(a.astype(np.float64) - b.astype(np.float64)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
