"""Open editions: each opened once, pinned while in use, closed after its last user.

An edition is current until the library finds that its file changed; then the next request opens another one,
and those who use the old one keep it until they let go of it. Current editions that are not in use stay open
for the next request, a bounded number of them. All methods belong to one event loop.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable


@runtime_checkable
class Closable(Protocol):
    """What is kept here."""

    def close(self) -> None:
        """Let go of everything; may block."""


_Edition = TypeVar("_Edition", bound=Closable)


@dataclass(eq=False)
class _Entry(Generic[_Edition]):
    """An edition, opened elsewhere or by a task, and how many use it or wait for it."""

    adopted: _Edition | None = None
    opening: "asyncio.Task[_Edition] | None" = None
    users: int = 0

    @property
    def failed(self) -> bool:
        """Whether it could not be opened."""
        task = self.opening
        return task is not None and task.done() and (task.cancelled() or task.exception() is not None)

    @property
    def edition(self) -> _Edition | None:
        """The edition, once it is open."""
        if self.opening is None:
            return self.adopted
        return self.opening.result() if self.opening.done() and not self.failed else None

    async def opened(self) -> _Edition:
        """Wait until it is open. Raises what prevents it."""
        if self.opening is None:
            assert self.adopted is not None
            return self.adopted
        # Shielded: others wait for it too when this caller is cancelled.
        return await asyncio.shield(self.opening)

    async def close(self) -> None:
        """Close the edition in a thread, as soon as it is open; one that failed to open needs no closing."""
        if self.opening is not None:
            await asyncio.wait([self.opening])
        if self.edition is not None:
            await asyncio.to_thread(self.edition.close)


class OpenVersions(Generic[_Edition]):
    """Open editions by name; ``most_idle`` of them stay open without users."""

    def __init__(self, most_idle: int) -> None:
        self._most_idle = most_idle
        self._current: OrderedDict[str, _Entry[_Edition]] = OrderedDict()  # least recently used first
        self._closing: set[asyncio.Task[None]] = set()

    def adopt(self, name: str, edition: _Edition) -> None:
        """Take over an edition that was opened elsewhere, before the first use of its name."""
        self._current[name] = _Entry(adopted=edition)

    @asynccontextmanager
    async def use(
        self, name: str, is_current: Callable[[_Edition], bool], open_new: Callable[[], _Edition]
    ) -> AsyncIterator[_Edition]:
        """The current edition of a name, pinned while the block runs.

        ``open_new`` runs in a thread, once for all who wait for it; its error is raised to all of them.
        """
        entry = self._current.get(name)
        if entry is None or entry.failed or not (entry.edition is None or is_current(entry.edition)):
            entry = self._replace(name, open_new)
        self._current.move_to_end(name)
        entry.users += 1
        try:
            yield await entry.opened()
        finally:
            entry.users -= 1
            self._tidy(name, entry)

    async def close(self) -> None:
        """Close all current editions, also those in use, and wait for those that are being closed."""
        for entry in self._current.values():
            self._close(entry)
        self._current.clear()
        await asyncio.gather(*self._closing)

    def _replace(self, name: str, open_new: Callable[[], _Edition]) -> _Entry[_Edition]:
        """Begin to open another edition; the one before is closed once it has no users."""
        old = self._current.pop(name, None)
        entry = self._current[name] = _Entry(opening=asyncio.create_task(asyncio.to_thread(open_new)))
        if old is not None:
            self._tidy(name, old)
        return entry

    def _tidy(self, name: str, entry: _Entry[_Edition]) -> None:
        """Close an entry that is not current any more, and current ones without users beyond a number."""
        if entry.failed and self._current.get(name) is entry:
            del self._current[name]
        if self._current.get(name) is not entry and entry.users == 0:
            self._close(entry)
        idle = [key for key, each in self._current.items() if each.users == 0]
        for key in idle[: max(0, len(idle) - self._most_idle)]:
            self._close(self._current.pop(key))

    def _close(self, entry: _Entry[_Edition]) -> None:
        task = asyncio.create_task(entry.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
