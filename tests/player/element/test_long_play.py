"""Looped play with seeks and changes of the clip does not grow memory."""

from typing import TYPE_CHECKING

import pytest

from support.browser import chromium, missing_browser, open_page
from support.gl import ARGUMENTS
from support.long_play import EAGER, long_play
from support.planes_clip import planes_clip

if TYPE_CHECKING:
    from support.planes_clip import PlanesClip

pytestmark = pytest.mark.extensive
GROWTH = 600_000  # bytes of all heaps, over eight changes of clips; a clip left behind takes 2 MB


def test_looped_play_with_seeks_and_changes_holds_no_more_than_at_first(made: "PlanesClip") -> None:
    """The long run, of 10 minutes with 200 seeks and 20 changes, is ``benchmarks/browser_soak.py``."""
    if missing_browser():
        pytest.skip(missing_browser())
    clips = [made.data, planes_clip(segments=(2, 3)).data]
    with chromium(*ARGUMENTS["swiftshader"], EAGER) as browser, open_page(browser) as page:
        samples = list(long_play(page, clips, seconds=8, seeks=16, changes=8, samples=2))
    _, first, last = samples  # the very first one is of before all code was compiled
    assert (last.workers, last.textures, last.framebuffers, last.buffers, last.programs) == (
        first.workers, first.textures, first.framebuffers, first.buffers, first.programs,
    )  # fmt: skip
    assert first.textures > 0
    assert last.heaps - first.heaps < GROWTH
