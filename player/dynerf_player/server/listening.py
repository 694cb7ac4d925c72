"""Opens the listening socket of a server, with a limit on simultaneous connections.

Connections that never send a request are closed after a while; until then each uses memory and a descriptor.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class _RefusedConnection(asyncio.Protocol):
    """A connection beyond the limit."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it at once."""
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


@asynccontextmanager
async def listening(
    runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None, limit: int
) -> AsyncIterator[int]:
    """Accept connections while the block runs, at most ``limit`` at once; yields the port. Raises OSError."""
    server = runner.server
    assert server is not None

    def protocol() -> asyncio.BaseProtocol:
        return server() if len(server.connections) < limit else _RefusedConnection()

    listener = await asyncio.get_running_loop().create_server(protocol, host, port, ssl=tls, backlog=128)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
