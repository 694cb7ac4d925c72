"""``python -m dynerf``."""

from dynerf.entry import run

run()
