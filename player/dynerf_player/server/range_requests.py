"""Serves a file over HTTP: GET and HEAD with one range, a strong entity tag, and conditional requests.

A clip's tag is its own SHA-256, so any server of the same file gives the same one. RFC 9110 throughout:
preconditions before ranges, If-Range compared strongly, HEAD ignores ranges. Several ranges in one request
are refused (416): they are mainly used for denial of service. The connection is aborted when a client does
not read a block of 64 KiB within ``timeout`` seconds; until then at most two blocks are in memory.
"""

import asyncio
import re
from collections.abc import Mapping

from aiohttp import web

from dynerf_format.container.source import Source
from dynerf_format.errors import DynerfError

from .write_timeout import minimum_write_rate

_BLOCK = 64 * 1024
_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})", re.ASCII)
_TAG = re.compile(r'(?:W/)?"[^"]*"')


async def send_file(
    request: web.Request, source: Source, etag: str, headers: Mapping[str, str], timeout: float
) -> web.StreamResponse:
    """Respond with the bytes of ``source``; ``headers`` are added, such as the content type."""
    headers = {"ETag": etag, "Accept-Ranges": "bytes", **headers}
    if not _matches(request.headers.get("If-Match"), etag, missing=True, strong=True):
        raise web.HTTPPreconditionFailed(text="The file was replaced.")
    if _matches(request.headers.get("If-None-Match"), etag, missing=False, strong=False):
        return web.Response(status=304, headers=headers)
    part = _part(request, etag, source.size)
    response = web.StreamResponse(headers=headers)
    if part is not None:
        response.set_status(206)
        response.headers["Content-Range"] = f"bytes {part[0]}-{part[1]}/{source.size}"
    first, last = part or (0, source.size - 1)
    response.content_length = last - first + 1
    await response.prepare(request)
    if request.method != "HEAD":
        await _send(request, response, source, (first, last + 1), timeout)
    return response


async def _send(
    request: web.Request, response: web.StreamResponse, source: Source, part: tuple[int, int], timeout: float
) -> None:
    """Send bytes ``part[0]`` to ``part[1] - 1``; aborts the connection when they cannot all be sent."""
    try:
        for offset in range(part[0], part[1], _BLOCK):
            block = await asyncio.to_thread(source.read, offset, min(_BLOCK, part[1] - offset))
            async with asyncio.timeout(timeout):
                await response.write(block)
        async with minimum_write_rate(request, timeout):
            await response.write_eof()
    except (TimeoutError, DynerfError):
        # Too late for another status: a connection that ends early shows it to the client.
        if request.transport is not None:
            request.transport.abort()


def _matches(value: str | None, etag: str, *, missing: bool, strong: bool) -> bool:
    """Whether a list of entity tags contains this one; ``missing`` is the result without a list."""
    if value is None:
        return missing
    if value.strip() == "*":
        return True
    tags = _TAG.findall(value)
    return etag in tags or (not strong and f"W/{etag}" in tags)


def _part(request: web.Request, etag: str, size: int) -> tuple[int, int] | None:
    """First and last byte of the requested range, or None for the whole file. Raises 416."""
    requested = request.headers.get("Range")
    if requested is None or request.method != "GET" or not requested.strip().lower().startswith("bytes"):
        return None
    condition = request.headers.get("If-Range")
    if condition is not None and condition.strip() != etag:
        return None
    match = _RANGE.fullmatch(requested.strip())
    if match is None or match[0] == "bytes=-":
        raise _unsatisfiable(
            etag, size, "Expected one range of bytes, as bytes=0-499, bytes=500- or bytes=-36."
        )
    if not match[1]:
        first, last = max(0, size - int(match[2])), size - 1
    else:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
        if match[2] and int(match[2]) < first:
            raise _unsatisfiable(etag, size, "The range ends before it starts.")
    if first >= size:
        raise _unsatisfiable(etag, size, f"The file has {size} bytes.")
    return first, last


def _unsatisfiable(etag: str, size: int, text: str) -> web.HTTPException:
    return web.HTTPRequestRangeNotSatisfiable(
        text=text, headers={"Content-Range": f"bytes */{size}", "ETag": etag}
    )
