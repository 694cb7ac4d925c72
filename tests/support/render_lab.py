"""A page in Chromium that renders clips with ``web/render``, and the reference's pictures to compare with."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynerf_decoder.cameras.camera import Camera
from dynerf_decoder.clip.clip import Clip
from support.browser import chromium, open_page
from support.gl import ARGUMENTS, camera_record, dump_segment, header_record
from support.static_host import StaticHost, static_host

if TYPE_CHECKING:
    from playwright.sync_api import Page

HARNESS = Path(__file__).parents[1] / "player" / "render"
_OPEN = "async ([header, urls, options]) => { window.opened = await harness.open(header, urls, options); }"
_PICTURE = "view => harness.picture(opened, view)"


@dataclass
class Lab:
    """``open`` a clip, then take pictures of it. Segments are handed over decoded."""

    page: "Page"
    host: StaticHost

    def open(self, clip: Clip, **options: Any) -> None:
        """Load all segments of a clip into a renderer with options of ``Renderer.create``."""
        urls = []
        for number in range(len(clip.header.segments)):
            urls.append(f"/segment{number}")
            self.host.files[urls[-1]] = dump_segment(clip, number)
        self.page.evaluate(_OPEN, [header_record(clip.header), urls, options])

    def picture(
        self, camera: Camera, segment: int = 0, mix: tuple[int, float] = (0, 0.0), output: str = "colour"
    ) -> np.ndarray:
        """A view of a moment, uint8 (height, width, 3).

        ``mix``: a frame of the segment, and the share of the next frame's latent.
        """
        size = {"width": camera.width, "height": camera.height}
        moment = {"segment": segment, "mix": list(mix), "output": output}
        text = self.page.evaluate(_PICTURE, {"camera": camera_record(camera), **size, **moment})
        data = base64.b64decode(text)
        return np.frombuffer(data, np.uint8).reshape(camera.height, camera.width, 4)[..., :3]


@contextmanager
def render_lab(gl: str) -> Iterator[Lab]:
    """A page on an implementation of WebGL2 (``support.gl.ARGUMENTS``); errors that it logs fail the test."""
    with static_host() as host, chromium(*ARGUMENTS[gl]) as browser, open_page(browser) as page:
        host.add(HARNESS, "/tests")
        page.goto(f"{host.address}/")
        page.evaluate("async () => { window.harness = await import('/tests/harness.js'); }")
        yield Lab(page, host)
