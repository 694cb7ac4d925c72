"""Keeps versions of clips open: each is opened once, pinned while in use, closed after its last user.

A version is current until the library finds that its file changed; then the next request opens another one,
and users of the old one keep it until they release it. A bounded number of unused current versions stays open
for the next request. All methods belong to one event loop.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable


@runtime_checkable
class Closable(Protocol):
    """What ``OpenVersions`` holds."""

    def close(self) -> None:
        """Release everything; may block."""


_Version = TypeVar("_Version", bound=Closable)


@dataclass(eq=False)
class _Entry(Generic[_Version]):
    """A version, adopted or opened by a task, and the number of its users, waiting ones included."""

    adopted: _Version | None = None
    opening: "asyncio.Task[_Version] | None" = None
    users: int = 0

    @property
    def failed(self) -> bool:
        """Whether it could not be opened."""
        task = self.opening
        return task is not None and task.done() and (task.cancelled() or task.exception() is not None)

    @property
    def version(self) -> _Version | None:
        """The version, once it is open."""
        if self.opening is None:
            return self.adopted
        return self.opening.result() if self.opening.done() and not self.failed else None

    async def opened(self) -> _Version:
        """Wait until it is open. Raises the error of opening it."""
        if self.opening is None:
            assert self.adopted is not None
            return self.adopted
        # Shielded: cancelling this caller must not cancel it for the others.
        return await asyncio.shield(self.opening)

    async def close(self) -> None:
        """Close the version in a thread, as soon as it is open; unless opening it failed."""
        if self.opening is not None:
            await asyncio.wait([self.opening])
        if self.version is not None:
            await asyncio.to_thread(self.version.close)


class OpenVersions(Generic[_Version]):
    """Open versions by name; at most ``max_idle`` of them stay open without users."""

    def __init__(self, max_idle: int) -> None:
        self._max_idle = max_idle
        self._current: OrderedDict[str, _Entry[_Version]] = OrderedDict()  # least recently used first
        self._closing: set[asyncio.Task[None]] = set()

    def adopt(self, name: str, version: _Version) -> None:
        """Take over a version that was opened elsewhere, before the first use of its name."""
        self._current[name] = _Entry(adopted=version)

    def peek(self, name: str) -> _Version | None:
        """The current version of a name, if it is open."""
        entry = self._current.get(name)
        return None if entry is None else entry.version

    @asynccontextmanager
    async def use(
        self, name: str, is_current: Callable[[_Version], bool], open_new: Callable[[], _Version]
    ) -> AsyncIterator[_Version]:
        """The current version of a name, pinned while the block runs.

        ``open_new`` runs in a thread, once for all waiting callers; its error is raised to all of them.
        """
        entry = self._current.get(name)
        if entry is None or entry.failed or not (entry.version is None or is_current(entry.version)):
            entry = self._replace(name, open_new)
        self._current.move_to_end(name)
        entry.users += 1
        try:
            yield await entry.opened()
        finally:
            entry.users -= 1
            self._close_unused(name, entry)

    async def close(self) -> None:
        """Close all current versions, also those in use, and wait for those that are being closed."""
        for entry in self._current.values():
            self._close(entry)
        self._current.clear()
        await asyncio.gather(*self._closing)

    def _replace(self, name: str, open_new: Callable[[], _Version]) -> _Entry[_Version]:
        """Start to open another version; the previous one is closed once it has no users."""
        old = self._current.pop(name, None)
        entry = self._current[name] = _Entry(opening=asyncio.create_task(asyncio.to_thread(open_new)))
        if old is not None:
            self._close_unused(name, old)
        return entry

    def _close_unused(self, name: str, entry: _Entry[_Version]) -> None:
        """Close an unused entry that is no longer current, and unused current ones beyond the limit."""
        if entry.failed and self._current.get(name) is entry:
            del self._current[name]
        if self._current.get(name) is not entry and entry.users == 0:
            self._close(entry)
        idle = [key for key, each in self._current.items() if each.users == 0]
        for key in idle[: max(0, len(idle) - self._max_idle)]:
            self._close(self._current.pop(key))

    def _close(self, entry: _Entry[_Version]) -> None:
        task = asyncio.create_task(entry.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
