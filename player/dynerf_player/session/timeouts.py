"""How long the server waits for clients."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timeouts:
    """Seconds to wait for a hello, a request's body, a stalled reader, and a viewer's next message."""

    hello: float = 10.0
    body: float = 20.0
    stall: float = 15.0
    idle: float = 600.0
