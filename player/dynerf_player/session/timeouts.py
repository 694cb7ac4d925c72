"""How long a server waits for the other end."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timeouts:
    """Seconds: for a greeting, for a request's body, for a reader who takes nothing, for a silent viewer."""

    hello: float = 10.0
    body: float = 20.0
    stall: float = 15.0
    idle: float = 600.0
