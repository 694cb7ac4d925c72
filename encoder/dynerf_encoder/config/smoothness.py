"""Stronger smoothness of the planes, for captures of few cameras."""

from dataclasses import replace

from .schema import Config

_FEW_CAMERAS = 0.1  # of total_variation: ten times that of the presets for planes


def smoother(config: Config) -> Config:
    """A preset with the smoothness that few training cameras need; without effect where there is none."""
    weight = config.optimiser.total_variation
    if weight == 0:
        return config
    return replace(config, optimiser=replace(config.optimiser, total_variation=max(weight, _FEW_CAMERAS)))
