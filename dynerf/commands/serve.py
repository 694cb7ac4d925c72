"""``dynerf serve``."""

import argparse

from dynerf_format.errors import ConfigError

from ..device import choose_device
from ..display import say


def run(options: argparse.Namespace) -> int:
    """Serve a file or a folder until interrupted."""
    from dynerf_player.catalogue import FileLibrary
    from dynerf_player.server import Settings, serve

    if (options.tls_cert is None) != (options.tls_key is None):
        raise ConfigError("--tls-cert and --tls-key: expected both or neither")
    certificate = (str(options.tls_cert), str(options.tls_key)) if options.tls_cert else None
    library = FileLibrary(options.place, choose_device(options.device))
    settings = Settings(
        host=options.host,
        port=options.port,
        sessions=options.render_sessions,
        origins=tuple(options.allow_origin),
        certificate=certificate,
    )
    serve(library, settings, lambda address: say(f"serving {address}/"))
    return 0
