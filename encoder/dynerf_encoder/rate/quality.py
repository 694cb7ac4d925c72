"""Quality, 1 to 10: one number for how finely values are rounded and how much their bits weigh.

From one quality to the next the steps shrink by sqrt(2) and the weight of bits by 2, because the squared
error of rounding grows with the square of the step. Presets are what they are at ``DEFAULT``.
"""

from dataclasses import replace

from dynerf_encoder.config.schema import Config
from dynerf_format.errors import ConfigError

from .step_sizes import coarsened

LEAST, DEFAULT, MOST = 1, 6, 10


def at_quality(config: Config, quality: int) -> Config:
    """A preset at another quality than its default. Raises ConfigError outside LEAST to MOST."""
    if not LEAST <= quality <= MOST:
        raise ConfigError(f"quality: found {quality}, expected {LEAST} to {MOST}")
    coarser = 2.0 ** (DEFAULT - quality)
    return replace(
        config,
        rate=replace(config.rate, weight=config.rate.weight * coarser),
        quantisation=coarsened(config.quantisation, coarser**0.5),
    )
