"""Quality, 1 to 10: one number for the rounding steps and the weight of the rate term.

From one quality to the next the steps shrink by sqrt(2) and the weight by 2, because the squared rounding
error grows with the square of the step. Presets are defined at quality ``DEFAULT``.
"""

from dataclasses import replace

from dynerf_encoder.config.schema import Config
from dynerf_format.errors import ConfigError

from .step_sizes import coarsened

LOWEST, DEFAULT, HIGHEST = 1, 6, 10


def at_quality(config: Config, quality: int) -> Config:
    """A preset at another quality than the default. Raises ConfigError outside LOWEST to HIGHEST."""
    if not LOWEST <= quality <= HIGHEST:
        raise ConfigError(f"quality: found {quality}, expected {LOWEST} to {HIGHEST}")
    coarser = 2.0 ** (DEFAULT - quality)
    return replace(
        config,
        rate=replace(config.rate, weight=config.rate.weight * coarser),
        quantisation=coarsened(config.quantisation, coarser**0.5),
    )
