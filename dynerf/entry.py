"""Entry point of the command: handles signals before anything heavy is imported (``dynerf.interrupt``)."""

from .interrupt import end_on_signals


def run() -> None:
    """Entry point of the console script and of ``python -m dynerf``."""
    end_on_signals()
    from dynerf.cli.main import run

    run()
