"""Which movie is made next: one at a time, in a place of a session, and few may wait."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from dynerf_player.session.render_pool import SessionLimit

_RETRY = {"Retry-After": "10"}  # seconds


class MovieQueue:
    """All movies together take one place of the sessions, however many wait. Belongs to one event loop."""

    def __init__(self, slots: SessionLimit, most_waiting: int) -> None:
        self.turn = asyncio.Lock()  # held while a movie is made; first come, first served
        self._slots = slots
        self._most = 1 + most_waiting
        self._count = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue while the block runs. Raises HTTPServiceUnavailable when there is none."""
        if self._count >= self._most:
            raise web.HTTPServiceUnavailable(
                text=f"{self._count} movies are being made or wait for it; try again later.", headers=_RETRY
            )
        if self._count == 0 and not self._slots.take():
            raise web.HTTPServiceUnavailable(text="All sessions are taken.", headers=_RETRY)
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            if self._count == 0:
                self._slots.give_back()
