"""Fixtures of the renderer's tests: a page on each implementation of WebGL2."""

from collections.abc import Iterator

import pytest

from support.browser import missing_browser
from support.gl import ARGUMENTS, missing_gl
from support.render_lab import Lab, render_lab

_PARAMS = [
    pytest.param(gl, marks=[] if gl == "swiftshader" else pytest.mark.extensive) for gl in sorted(ARGUMENTS)
]


@pytest.fixture(scope="module", params=_PARAMS)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A page that renders; skipped where the implementation is not installed."""
    if reason := missing_browser() or missing_gl(request.param):
        pytest.skip(reason)
    with render_lab(request.param) as lab:
        yield lab
