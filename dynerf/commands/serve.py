"""Implements ``dynerf serve``."""

import argparse
import ipaddress
import secrets

from dynerf.console.device import choose_device
from dynerf.console.progress import say
from dynerf_format.errors import ConfigError


def run(options: argparse.Namespace) -> int:
    """Serve a file or a folder until interrupted."""
    from dynerf_player.library.local import FileLibrary
    from dynerf_player.server.access_token import Access
    from dynerf_player.server.app import Settings, serve

    if (options.tls_cert is None) != (options.tls_key is None):
        raise ConfigError("--tls-cert and --tls-key: expected both or neither")
    certificate = (str(options.tls_cert), str(options.tls_key)) if options.tls_cert else None
    access = None if options.token is None else Access(options.token or secrets.token_urlsafe(16))
    library = FileLibrary(options.path, choose_device(options.device))
    settings = Settings(
        host=options.host,
        port=options.port,
        sessions=options.render_sessions,
        origins=tuple(options.allow_origin),
        access=access,
        certificate=certificate,
    )

    def show(address: str) -> None:
        say(f"serving {address}/{'' if access is None else access.query()}")
        if access is None and not _is_this_machine(options.host):
            say("anyone who can reach this port can watch and use this machine to render; see --token")

    serve(library, settings, show)
    return 0


def _is_this_machine(host: str) -> bool:
    """Whether a server that listens on ``host`` accepts connections from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
