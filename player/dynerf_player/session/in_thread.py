"""Runs a function in a thread; cancelling the caller waits for that thread."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


async def in_thread(
    work: Callable[_Arguments, _Result], *args: _Arguments.args, **kwargs: _Arguments.kwargs
) -> _Result:
    """As ``asyncio.to_thread``, but cancellation is raised only after the thread is done.

    Otherwise the caller's clean-up, such as closing a file, would run while the thread still writes to it.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _wait_until_done(task)
        raise


async def _wait_until_done(task: "asyncio.Future[_Result]") -> None:
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue  # the caller raises it
    task.exception()  # retrieved, so that asyncio does not log it
