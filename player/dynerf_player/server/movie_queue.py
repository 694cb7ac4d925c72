"""Queues movies: one is rendered at a time, few may wait, and all together count as one session."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from dynerf_player.session.render_pool import SessionLimit

_RETRY = {"Retry-After": "10"}  # seconds


class MovieQueue:
    """A bounded queue that counts as one session while it is not empty. Belongs to one event loop."""

    def __init__(self, sessions: SessionLimit, max_waiting: int) -> None:
        self.rendering = asyncio.Lock()  # acquired in order of arrival
        self._sessions = sessions
        self._limit = 1 + max_waiting
        self._count = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be in the queue while the block runs. Raises HTTPServiceUnavailable when it is full."""
        if self._count >= self._limit:
            raise web.HTTPServiceUnavailable(
                text=f"{self._count} movies are being rendered or waiting; try again later.", headers=_RETRY
            )
        if self._count == 0 and not self._sessions.try_acquire():
            raise web.HTTPServiceUnavailable(text="All sessions are in use.", headers=_RETRY)
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            if self._count == 0:
                self._sessions.release()
