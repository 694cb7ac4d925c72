"""Entry point of the command: handles Ctrl-C before anything heavy is imported (``dynerf.interrupt``)."""

import signal

from .interrupt import end_on_interrupt


def run() -> None:
    """Entry point of the console script and of ``python -m dynerf``."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # otherwise ignored, e.g. in background
        end_on_interrupt()
    from dynerf.cli.main import run

    run()
