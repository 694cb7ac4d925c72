"""Runs the command as ``python -m dynerf``."""

from .entry import run

run()
