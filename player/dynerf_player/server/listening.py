"""The listening socket of a server, which serves a bounded number of connections at once.

Connections that never send a request are closed after a while; until then they hold memory and a descriptor
each, which files and renders need too.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class _Refused(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it at once."""
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


@asynccontextmanager
async def listening(
    runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None, most: int
) -> AsyncIterator[int]:
    """Accept connections while the block runs, ``most`` at once; yields the port. Raises OSError."""
    server = runner.server
    assert server is not None

    def protocol() -> asyncio.BaseProtocol:
        return server() if len(server.connections) < most else _Refused()

    listener = await asyncio.get_running_loop().create_server(protocol, host, port, ssl=tls, backlog=128)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
