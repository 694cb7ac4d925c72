"""``python -m dynerf``."""

from .entry import run

run()
