"""Draws line plots of measurements as SVG with matplotlib.

plot({"fast": [(1e4, 0.02), (2e4, 0.04)]}, Axis("pixels", log=True), Axis("seconds", zero=True))
"""

import io
from dataclasses import dataclass

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter

Series = dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Axis:
    """Label with unit; ``zero`` makes a linear axis start at 0."""

    label: str
    log: bool = False
    zero: bool = False


def plot(series: Series, x: Axis, y: Axis) -> str:
    """An SVG plot; each series is a list of (x, y) points, joined in order."""
    # Deterministic output; text stays text.
    with plt.rc_context({"svg.hashsalt": "dynerf", "svg.fonttype": "none"}):
        figure, axes = plt.subplots(figsize=(7.2, 4.8), layout="constrained")
        for name, points in series.items():
            axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name)
        _set_axis(axes, "x", x)
        _set_axis(axes, "y", y)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
        plt.close(figure)
    return svg.getvalue()


def _set_axis(axes: Axes, name: str, axis: Axis) -> None:
    axes.set(**{f"{name}label": axis.label, f"{name}scale": "log" if axis.log else "linear"})
    getattr(axes, f"{name}axis").set_major_formatter(EngFormatter(sep=""))
    if axis.zero and not axis.log:
        axes.set(**{f"{name}lim": (0, None)})
