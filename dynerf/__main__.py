"""``python -m dynerf``."""

from dynerf.command import run

run()
