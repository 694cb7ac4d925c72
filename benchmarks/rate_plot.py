"""Curves of PSNR over bytes as an SVG: a logarithmic axis of sizes."""

import math

from chart import Series, chart


def plot(series: Series) -> str:
    """The picture of some curves; a curve is a list of (bytes, dB)."""
    sizes = [math.log10(size) for curve in series.values() for size, _ in curve]
    ticks = {
        float(base * 10**power): f"{base * 10**power // 1000} kB"
        for power in range(3, 9)
        for base in (1, 2, 5)
    }
    return chart(series, math.log10, (min(sizes) - 0.05, max(sizes) + 0.05), ticks)
