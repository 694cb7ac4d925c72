"""Remote clips through the commands and the Python API, and clips for asynchronous programs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import dynerf
from dynerf_format import FormatError, RemoteError, ViewError
from support.command import pictures, run
from support.link import Link, serving


@pytest.fixture
def link(clip: Path) -> Iterator[Link]:
    with serving(clip.read_bytes()) as link:
        yield link


def test_a_path_and_an_address_render_the_same(clip: Path, link: Link) -> None:
    for path in (str(clip), clip):
        with dynerf.open(path, device="cpu") as here, dynerf.open(link.address, device="cpu") as there:
            assert here.header == there.header
            mine, theirs = (one.render(one.cameras[0], frame=1.5) for one in (here, there))
            assert torch.equal(mine.rgb, theirs.rgb)


def test_info_and_decode_take_addresses(clip: Path, link: Link, tmp_path: Path) -> None:
    assert run("info", link.address).out == run("info", clip).out
    for path, name in ((clip, "here"), (link.address, "there")):
        ran = run("decode", path, "-o", tmp_path / f"{name}_%d.png", "--frames", "2:3")
        assert ran.status == 0, ran.err
    here, there = (pictures(next(tmp_path.glob(f"{name}_*.png"))) for name in ("here", "there"))
    assert (here == there).all()


def test_a_bad_address_is_one_error_line(link: Link, tmp_path: Path) -> None:
    link.always = lambda _: b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    for words in (
        ("info", link.address),
        ("decode", link.address, "-o", tmp_path / "x.mp4"),
        ("play", link.address, "--no-browser"),
        ("info", "ftp://example.org/clip.dnv"),
    ):
        ran = run(*words)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith("dynerf: error: ")
        assert ran.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_moment_in_seconds_is_a_frame(clip: Path) -> None:
    with dynerf.open(clip, device="cpu") as opened:
        assert opened.frame_at(0.0) == 0
        assert opened.frame_at(3 / 30) == 3
        assert opened.frame_at(2.5 / 30) == pytest.approx(2.5)


def test_the_event_loop_runs_while_a_picture_is_rendered(link: Link) -> None:
    async def watch() -> None:
        async with dynerf.open_async(link.address, device="cpu") as clip:
            render = asyncio.ensure_future(
                clip.render(clip.cameras[0].with_size(300, 200), frame=clip.frame_at(0.05))
            )
            iterations = 0
            while not render.done():
                iterations += 1
                await asyncio.sleep(0)
            assert iterations > 10
            assert render.result().rgb.shape == (200, 300, 3)
            with pytest.raises(ViewError):
                await clip.render(clip.cameras[0], frame=1e6)

    asyncio.run(watch())


def test_a_cancelled_render_stops(clip: Path) -> None:
    async def watch() -> None:
        async with dynerf.open_async(clip, device="cpu") as opened:
            camera = opened.cameras[0]
            with pytest.raises(TimeoutError):
                # Hours of work: the test would not end otherwise.
                await asyncio.wait_for(opened.render(camera.with_size(20000, 20000), frame=0.0), 0.2)
            picture = await opened.render(camera, frame=0.0)
            assert picture.rgb.shape == (camera.height, camera.width, 3)

    asyncio.run(watch())


def test_opening_a_missing_clip(tmp_path: Path, link: Link) -> None:
    async def watch(path: str) -> None:
        async with dynerf.open_async(path, device="cpu"):
            pass

    with pytest.raises(FormatError, match="no such file"):
        asyncio.run(watch(str(tmp_path / "nothing.dnv")))
    link.always = lambda _: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(RemoteError, match="403"):
        asyncio.run(watch(link.address))
