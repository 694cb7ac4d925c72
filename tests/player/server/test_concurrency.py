"""Many clients of one server: versions, errors after a response started, movies, budgets."""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from dynerf_format import FileSource, Reader
from dynerf_player.library.folded_moments import FoldedMoments
from dynerf_player.library.local import FileLibrary
from dynerf_player.library.shared_clip import SharedClip
from dynerf_player.server.app import Settings, serve
from dynerf_player.server.movie_queue import MovieQueue
from dynerf_player.server.movies import MovieLimits, Movies
from dynerf_player.server.write_timeout import minimum_write_rate
from dynerf_player.session.in_thread import in_thread
from dynerf_player.session.protocol import MessageError
from dynerf_player.session.render_pool import RenderPool, SessionLimit
from dynerf_player.session.session import Session
from dynerf_player.session.timeouts import Timeouts
from support.full_disk import files_of_at_most
from support.player import Served, camera_path, served, view, viewer, wait_for_free_sessions
from support.sound import clicks, onsets, resounded, sound_of_file
from support.video import ROOT

NDJSON = {"Accept": "application/x-ndjson"}


@pytest.fixture
def folder(clip: Path, tmp_path: Path) -> Path:
    """Twenty clips."""
    for number in range(20):
        shutil.copy(clip, tmp_path / f"clip{number:02}.dnv")
    return tmp_path


class TestErrorsAfterTheResponseStarted:
    def test_a_clip_that_cannot_be_rendered_closes_the_socket_with_the_reason(self) -> None:
        async def check(server: Served) -> None:
            async with viewer(server, "smallest") as client:
                code, reason = await client.ending()
                assert (code, bool(reason)) == (1008, True)
            await wait_for_free_sessions(server)

        served(ROOT / "format" / "vectors" / "smallest.dnv", check)

    def test_a_long_reason_is_cut_between_characters(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(*_: object) -> None:
            raise MessageError("x" + "\u00e4" * 100)

        monkeypatch.setattr("dynerf_player.session.websocket._receive_messages", broken)

        async def check(server: Served) -> None:
            async with viewer(server) as client:
                assert await client.ending() == (1008, "x" + "\u00e4" * 59)

        served(clip, check)

    def test_an_unexpected_error_closes_the_socket_with_1011_and_is_logged(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def broken(*_: object) -> None:
            raise RuntimeError("a secret of the server")

        monkeypatch.setattr(Session, "_serve_view", broken)

        async def check(server: Served) -> None:
            async with viewer(server) as client:
                await client.send(view(1))
                code, reason = await client.ending()
                assert code == 1011
                assert "secret" not in reason
            await wait_for_free_sessions(server)

        served(clip, check)
        assert "a secret of the server" in caplog.text
        assert "Traceback" in caplog.text

    @pytest.mark.parametrize("error", [OSError("no space"), web.HTTPNotFound(text="second response")])
    def test_an_error_in_a_streamed_response_aborts_it_and_is_logged(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
    ) -> None:
        async def broken(*_: object) -> AsyncIterator[int]:
            yield 1
            raise error

        monkeypatch.setattr(Movies, "_make", broken)

        async def check(server: Served) -> None:
            received = b""
            with pytest.raises(aiohttp.ClientPayloadError):
                async with server.http.post(
                    server.address + "/movies/clip", json=camera_path(3), headers=NDJSON
                ) as response:
                    assert response.status == 200
                    async for block in response.content.iter_any():
                        received += block
            assert b"HTTP/1.1" not in received
            await wait_for_free_sessions(server)

        served(clip, check)
        assert type(error).__name__ in caplog.text

    def test_a_read_error_aborts_the_response(
        self, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        large = tmp_path / "clip.dnv"
        shutil.copy(clip, large)

        async def check(server: Served) -> None:
            await server.get("/clips/clip.json")

            def broken(*_: object) -> bytes:
                raise RuntimeError("broken")

            monkeypatch.setattr("dynerf_player.library.local.PinnedFile.read", broken)
            with pytest.raises(aiohttp.ClientPayloadError):
                await server.get("/clips/clip.dnv")

        served(large, check)


class TestVersions:
    def test_six_simultaneous_first_requests_open_one_version(self, clip: Path) -> None:
        async def run() -> None:
            library = FileLibrary(clip)
            async with contextlib.AsyncExitStack() as stack:
                opening = (stack.enter_async_context(library.current("clip")) for _ in range(6))
                found = await asyncio.gather(*opening)
                assert len(set(map(id, found))) == 1
                clips = await asyncio.gather(*(asyncio.to_thread(lambda: found[0].clip) for _ in range(6)))
                assert len(set(map(id, clips))) == 1
            await library.close()

        asyncio.run(run())

    def test_cancelling_one_caller_does_not_cancel_opening_for_others(self, clip: Path) -> None:
        async def run() -> None:
            library = FileLibrary(clip)

            async def use() -> None:
                async with library.current("clip") as version:
                    assert version.size == clip.stat().st_size

            tasks = [asyncio.create_task(use()) for _ in range(4)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(each) for each in done] == [asyncio.CancelledError, *[type(None)] * 3]
            await library.close()

        asyncio.run(run())

    def test_a_version_in_use_stays_open_and_a_replaced_one_is_closed_after_its_last_user(
        self, folder: Path, other_clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed: list[object] = []
        monkeypatch.setattr(
            "dynerf_player.library.local.FileVersion.close", lambda version: closed.append(version)
        )

        async def run() -> None:
            library = FileLibrary(folder)
            async with library.current("clip00") as first, library.current("clip00"):
                for name in await library.names():
                    async with library.current(name):
                        pass
                async with library.current("clip00") as again:
                    assert again is first, "twenty others must not evict a version in use"
                shutil.copy(other_clip, folder / "new")
                (folder / "new").replace(folder / "clip00.dnv")
                async with library.current("clip00") as newer:
                    assert newer is not first
                await asyncio.sleep(0.05)
                assert first not in closed
            async with asyncio.timeout(120):
                while first not in closed:
                    await asyncio.sleep(0.005)
            await library.close()
            assert closed.count(first) == 1
            assert len(closed) == 21

        asyncio.run(run())

    def test_the_catalogue_of_twenty_clips_does_not_disturb_a_viewer(
        self, folder: Path, next_check: Callable[[], Awaitable[None]]
    ) -> None:
        async def check(server: Served) -> None:
            async with viewer(server, "clip00") as client:
                await client.send(view(1))
                await client.picture()
                listed = json.loads((await server.get("/clips.json"))[2])
                assert len(listed["clips"]) == 20
                await next_check()
                await client.send(view(2))
                assert (await client.picture())[0][4] == 2
                assert "changed" not in {text["type"] for text in client.texts}

        served(folder, check)

    def test_folders_are_not_scanned_on_the_event_loop(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scanning: set[str] = set()
        original = FileLibrary._paths

        def recorded(library: FileLibrary) -> dict[str, Path]:
            scanning.add(threading.current_thread().name)
            return original(library)

        monkeypatch.setattr(FileLibrary, "_paths", recorded)

        async def check(server: Served) -> None:
            for address in ("/", "/watch/clip03", "/clips/clip03.json", "/clips.json"):
                assert (await server.get(address))[0] == 200

        served(folder, check)
        assert scanning
        assert threading.main_thread().name not in scanning


class TestFoldedMoments:
    def test_all_clips_of_a_process_share_one_budget(self, clip: Path) -> None:
        with FileSource(clip) as source:
            one = FoldedMoments(1 << 40)
            SharedClip(Reader(source), moments=one).fold(0.0)
            budget = FoldedMoments(5 * one.held // 2)
            clips = [SharedClip(Reader(source), moments=budget) for _ in range(4)]
            folded = [[each.fold(frame) for frame in (0.0, 1.0, 2.0)] for each in clips]
            assert budget.held <= 5 * one.held // 2
            assert clips[3].fold(2.0) is folded[3][2], "the newest is kept"
            assert clips[0].fold(0.0) is not folded[0][0], "the oldest is not"
            for each in clips:
                each.close()
            assert budget.held == 0

    def test_a_replaced_coarser_clip_releases_its_moments(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SharedClip, "layer_count", 3)
        with FileSource(clip) as source:
            budget = FoldedMoments()
            shared = SharedClip(Reader(source), moments=budget)
            shared.with_layers(1).fold(0.0)
            assert budget.held > 0
            shared.with_layers(2)
            assert budget.held == 0


class TestMovies:
    def test_the_work_of_a_movie_is_bounded_and_the_refusal_names_the_limit(self, clip: Path) -> None:
        limits = MovieLimits(pictures=5, picture_pixels=2000, pixels=4000)

        async def refusal(server: Served, path: dict[str, Any]) -> str:
            async with server.http.post(server.address + "/movies/clip", json=path) as response:
                assert response.status == 413
                return await response.text()

        async def check(server: Served) -> None:
            assert "6 pictures; the limit is 5" in await refusal(server, camera_path(6))
            large = camera_path(1) | {"render_width": 64, "render_height": 48}
            assert "3072 pixels in a picture; the limit is 2000" in await refusal(server, large)
            many = await refusal(server, camera_path(5) | {"render_width": 40})
            assert "4800 pixels in all pictures; the limit is 4000" in many

        served(clip, check, movies=limits)

    def test_a_movie_has_sound_if_time_passes_normally(self, clip: Path, tmp_path: Path) -> None:
        loud = resounded(clip, tmp_path / "clip.dnv", clicks(5 / 30, (2 / 30,), 2))

        async def check(server: Served) -> None:
            for pictures, tracks in ((5, 1), (10, 0)):
                address = server.address + "/movies/clip"
                async with server.http.post(address, json=camera_path(pictures)) as response:
                    (tmp_path / "movie.mp4").write_bytes(await response.read())
                with av.open(str(tmp_path / "movie.mp4")) as movie:
                    assert len(movie.streams.audio) == tracks
                if tracks:
                    assert onsets(sound_of_file(tmp_path / "movie.mp4")) == pytest.approx([2 / 30], abs=0.003)

        served(loud, check)

    def test_a_movie_that_takes_too_long_is_stopped(self, clip: Path) -> None:
        async def check(server: Served) -> None:
            address = server.address + "/movies/clip"
            async with server.http.post(address, json=camera_path(50), headers=NDJSON) as response:
                last = json.loads((await response.read()).splitlines()[-1])
            assert "not finished after 0 s" in last["error"]

        served(clip, check, movies=MovieLimits(seconds=0.0))

    def test_a_movie_on_a_full_disk_is_507_and_only_the_log_names_the_path(
        self, clip: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def check(server: Served) -> None:
            address = server.address + "/movies/clip"
            await server.get("/clips/clip.json")
            with files_of_at_most(0):
                async with server.http.post(address, json=camera_path(2)) as response:
                    status, text = response.status, await response.text()
                async with server.http.post(address, json=camera_path(2), headers=NDJSON) as response:
                    last = json.loads((await response.read()).splitlines()[-1])
            assert (status, text) == (507, "The server cannot store the movie; its disk may be full.")
            assert last == {"error": text}
            await wait_for_free_sessions(server)

        served(clip, check)
        assert caplog.text.count("cannot be written: File too large") == 2
        assert "dynerf-movies-" in caplog.text

    def test_no_refusal_of_a_movie_names_its_file(self, clip: Path) -> None:
        async def check(server: Served) -> None:
            address, path = server.address + "/movies/clip", camera_path(1) | {"fps": 1e-4}
            async with server.http.post(address, json=path) as response:
                assert response.status == 422
                text = await response.text()
            async with server.http.post(address, json=path, headers=NDJSON) as response:
                last = json.loads((await response.read()).splitlines()[-1])
            assert "frames per second" in text and "/tmp" not in text and ".mp4" not in text
            assert last == {"error": text}

        served(clip, check)

    def test_movies_queue_one_is_rendered_and_viewers_keep_their_sessions(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        release = asyncio.Event()
        rendering: list[int] = []
        entered: list[int] = []
        original, original_enter = Movies._render, MovieQueue.enter

        async def held(*arguments: Any) -> np.ndarray:
            rendering.append(1)
            await release.wait()
            return await original(*arguments)

        @contextlib.contextmanager
        def enter(queue: MovieQueue) -> Iterator[None]:
            with original_enter(queue):
                entered.append(1)
                yield

        monkeypatch.setattr(Movies, "_render", held)
        monkeypatch.setattr(MovieQueue, "enter", enter)

        async def post(server: Served) -> tuple[int, str]:
            async with server.http.post(server.address + "/movies/clip", json=camera_path(1)) as response:
                return response.status, response.content_type

        async def check(server: Served) -> None:
            posts = [asyncio.create_task(post(server)) for _ in range(3)]
            while not rendering or len(entered) < 3:
                await asyncio.sleep(0.01)
            async with server.http.post(server.address + "/movies/clip", json=camera_path(1)) as response:
                assert (response.status, response.headers["Retry-After"]) == (503, "10")
                assert "3 movies" in await response.text()
            assert len(rendering) == 1, "one at a time"
            assert b'"sessions": 1' in (await server.get("/healthz"))[2]
            release.set()
            assert await asyncio.gather(*posts) == [(200, "video/mp4")] * 3
            await wait_for_free_sessions(server)

        served(clip, check, sessions=2, movies=MovieLimits(waiting=2))

    def test_a_finished_movie_expires_without_a_request(self, tmp_path: Path) -> None:
        async def run() -> None:
            movies = Movies(RenderPool(SessionLimit(1)), Timeouts(), MovieLimits(kept=2, kept_seconds=0.2))
            paths = [tmp_path / f"{number}.mp4" for number in range(3)]
            for path in paths:
                path.write_bytes(b"movie")
                movies.keep(path.stem, "clip", path)
            assert [path.exists() for path in paths] == [False, True, True], "no more than two"
            while any(path.exists() for path in paths):
                await asyncio.sleep(0.01)
            movies.close()

        asyncio.run(run())

    def test_a_disconnect_releases_the_session_and_removes_the_file_at_once(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The consumer is interrupted while the generator is suspended: it must be closed at once."""
        made: list[Movies] = []
        original = Movies._stream_progress

        async def recorded(movies: Movies, *arguments: Any) -> web.StreamResponse:
            made.append(movies)
            return await original(movies, *arguments)

        monkeypatch.setattr(Movies, "_stream_progress", recorded)

        def disconnected(*_: object) -> bytes:
            raise ConnectionResetError

        async def check(server: Served) -> None:
            monkeypatch.setattr("dynerf_player.server.movies._line", disconnected)
            with pytest.raises(aiohttp.ClientError):
                async with server.http.post(
                    server.address + "/movies/clip", json=camera_path(3), headers=NDJSON
                ) as response:
                    await response.read()
            await wait_for_free_sessions(server)
            assert not list(Path(made[0]._folder.name).iterdir())
            assert not made[0]._queue.rendering.locked()

        served(clip, check)


class TestThreads:
    def test_a_cancelled_caller_waits_for_its_thread(self) -> None:
        started, release, ended = threading.Event(), threading.Event(), threading.Event()

        def work() -> None:
            started.set()
            release.wait(10)
            ended.set()

        async def run() -> None:
            task = asyncio.create_task(in_thread(work))
            await asyncio.to_thread(started.wait)
            for _ in range(3):
                task.cancel()
                await asyncio.sleep(0)
            assert not task.done()
            release.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert ended.is_set()

        asyncio.run(run())


class _SlowReader(asyncio.Transport):
    """A transport whose client reads a few bytes per poll."""

    def __init__(self, per_poll: int) -> None:
        super().__init__()
        self.waiting, self.per_poll, self.cut = 10_000, per_poll, False

    def get_write_buffer_size(self) -> int:
        self.waiting = max(0, self.waiting - self.per_poll)
        return self.waiting

    def is_closing(self) -> bool:
        return self.cut

    def abort(self) -> None:
        self.cut = True


class TestSlowReaders:
    @pytest.mark.parametrize(("per_poll", "cut"), [(1, True), (0, True), (300, False)])
    def test_readers_below_the_minimum_rate_are_disconnected(self, per_poll: int, cut: bool) -> None:
        async def run() -> None:
            transport = _SlowReader(per_poll)
            request = make_mocked_request("GET", "/", transport=transport)
            async with minimum_write_rate(request, 0.2):
                pass
            assert transport.cut is cut
            assert cut or transport.waiting == 0

        asyncio.run(run())

    def test_connections_without_a_request_are_bounded(self, clip: Path) -> None:
        async def check(server: Served) -> None:
            silent = [await asyncio.open_connection(*server.host) for _ in range(4)]
            assert await asyncio.wait_for(silent[3][0].read(), 10) == b"", "beyond the limit"
            for _, writer in silent:
                writer.close()
                await writer.wait_closed()
            while True:  # the server notices a moment later
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    assert (await server.get("/healthz"))[0] == 200
                    break

        served(clip, check, connections=3)

    def test_sockets_before_their_hello_are_bounded(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dynerf_player.server.app._MAX_AWAITING_HELLO", 3)

        async def check(server: Served) -> None:
            async with contextlib.AsyncExitStack() as stack:
                silent = [await stack.enter_async_context(viewer(server, codec=None)) for _ in range(3)]
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await server.http.ws_connect(f"{server.address}/live/clip")
                assert refused.value.status == 503
                assert (await silent[0].ending())[0] == 1008
            async with viewer(server) as client:
                await client.text("welcome")

        served(clip, check)


def test_the_library_does_not_configure_logging(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    def stop(_: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    serve(FileLibrary(clip), Settings(port=0), stop)
    assert logging.getLogger().handlers == []


def test_an_ignored_signal_stays_ignored(clip: Path) -> None:
    ready: list[str] = []

    def stop(address: str) -> None:
        ready.append(address)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as nohup does
    try:
        serve(FileLibrary(clip), Settings(port=0), stop)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert ready


def test_other_sites_cannot_embed_what_is_served(clip: Path) -> None:
    async def check(server: Served) -> None:
        for address in ("/", "/clips/clip.json", "/clips/clip.dnv", "/watch/clip", "/web/main.js"):
            headers = (await server.get(address))[1]
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"

    served(clip, check)


def test_clips_may_be_embedded_by_allowed_sites(clip: Path) -> None:
    async def check(server: Served) -> None:
        assert "Cross-Origin-Resource-Policy" not in (await server.get("/clips/clip.jpg"))[1]
        assert "Cross-Origin-Resource-Policy" in (await server.get("/watch/clip"))[1]

    served(clip, check, origins=("https://example.org",))


def test_a_page_gets_the_volume_that_the_clip_declares(clip: Path) -> None:
    with FileSource(clip) as source:
        declared = Reader(source).header.viewing_volume
        margin = SharedClip(Reader(source)).viewing_volume.margin
    assert declared

    async def check(server: Served) -> None:
        volume = json.loads((await server.get("/clips/clip.json"))[2])["volume"]
        assert volume == {"points": [list(corner) for corner in declared], "margin": margin}

    served(clip, check)
