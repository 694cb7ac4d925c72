"""Writes an evaluation as one offline HTML page: metrics, PSNR over time, pictures, bytes of the file.

Pictures are embedded in the page (PNG, data URIs), the chart is SVG. The template escapes everything that
comes from a file or a capture; the page has no script.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.clip.clip import Clip
from dynerf_decoder.render.frame import rgb_to_uint8
from dynerf_decoder.video.frame_writer import png_bytes
from dynerf_format.errors import OutputError
from dynerf_format.io.atomic_write import atomic_path

from .evaluate import METRICS, Evaluation, FrameScore
from .metrics import psnr

_ERROR_GAIN = 5  # error pictures show five times the absolute difference
_WIDTH, _HEIGHT = 640, 160


class HtmlReport:
    """Collects the pictures to show (the first, the worst and the best) during an evaluation."""

    def __init__(self, folder: Path, clip: Clip) -> None:
        """Create the folder. Raises OutputError."""
        self._path = folder / "index.html"
        self._clip = clip
        self._examples: dict[str, tuple[FrameScore, list[str]]] = {}
        self._first: tuple[FrameScore, Tensor] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be created: {error.strerror}") from error

    def add(
        self,
        score: FrameScore,
        decoded: Float[Tensor, "height width 3"],
        truth: Float[Tensor, "height width 3"],
    ) -> None:
        """Keep a picture with its true one if it is the first, the worst or the best so far."""
        self._first = self._first or (score, truth)
        worst, best = (self._examples.get(role) for role in ("worst", "best"))
        roles = [
            role
            for role, applies in (
                ("first", "first" not in self._examples),
                ("worst", worst is None or score.psnr < worst[0].psnr),
                ("best", best is None or score.psnr > best[0].psnr),
            )
            if applies
        ]
        if roles:
            example = (score, _pictures(decoded, truth))
            self._examples |= dict.fromkeys(roles, example)

    def write(self, result: Evaluation) -> Path:
        """Write the page and return its path. Raises OutputError."""
        page = _template().render(**self._contents(result))
        with atomic_path(self._path) as temporary:
            try:
                temporary.write_text(page, encoding="utf-8")
            except OSError as error:
                raise OutputError(f"{self._path}: cannot be written: {error.strerror}") from error
        return self._path

    def _contents(self, result: Evaluation) -> dict[str, object]:
        """The template's variables."""
        means = {name: result.mean(name) for name in METRICS} | {"jod": result.jod}
        parts = self._clip.reader.bytes_by_kind()
        layers = [] if self._first is None else _layer_pictures(self._clip, *self._first)
        return {
            "layers": layers,
            "title": self._clip.name,
            "pictures": len(result.frames),
            "views": result.views,
            "metrics": [(name, mean, result.missing.get(name, "")) for name, mean in means.items()],
            "chart": _chart(result),
            "error_gain": _ERROR_GAIN,
            "examples": [(role, score, images) for role, (score, images) in self._examples.items()],
            "header": self._clip.header,
            "parts": list(parts.items()),
            "total": sum(parts.values()),
        }


@dataclass(frozen=True)
class _LayerPicture:
    """One frame decoded with the first ``layers`` quality layers, and the bytes of their weights."""

    layers: int
    bytes: int
    psnr: float
    image: str


def _layer_pictures(clip: Clip, score: FrameScore, truth: Tensor) -> list[_LayerPicture]:
    """The frame of a score with one quality layer, with two, and so on up to the number evaluated."""
    used, segment = clip.layers, clip.segment_at(float(score.frame))
    sizes = clip.reader.layer_bytes(segment)[:used]
    pictures = []
    try:
        for count in range(1, len(sizes) + 1):
            clip.layers = count
            decoded = clip.render(clip.cameras[score.view], frame=float(score.frame)).rgb.cpu()
            image = _base64_png(rgb_to_uint8(decoded))
            pictures.append(_LayerPicture(count, sum(sizes[:count]), psnr(decoded, truth), image))
    finally:
        clip.layers = used
    return pictures


@dataclass(frozen=True)
class _Chart:
    """PSNR over time: an SVG polyline per view, and the range of both axes."""

    lines: list[tuple[str, str]]
    low: float
    high: float
    last: int
    width: int = _WIDTH
    height: int = _HEIGHT


def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("report.html.j2")


def _pictures(decoded: Tensor, truth: Tensor) -> list[str]:
    """The decoded picture, the true one and the amplified error, as base64-encoded PNGs."""
    error = ((decoded - truth).abs() * _ERROR_GAIN).clamp(0, 1)
    return [_base64_png(rgb_to_uint8(picture)) for picture in (decoded, truth, error)]


def _base64_png(rgb: np.ndarray) -> str:
    return base64.b64encode(png_bytes(rgb)).decode()


def _chart(result: Evaluation) -> _Chart:
    values = [score.psnr for score in result.frames]
    low, high = min(values), max(values)
    last = max(1, max(score.frame for score in result.frames))
    lines = [
        (view, _points([score for score in result.frames if score.view == view], low, high, last))
        for view in result.views
    ]
    return _Chart(lines, low, high, last)


def _points(scores: Sequence[FrameScore], low: float, high: float, last: int) -> str:
    scale = _HEIGHT / max(high - low, 1e-9)
    return " ".join(
        f"{_WIDTH * score.frame / last:.1f},{(high - score.psnr) * scale:.1f}" for score in scores
    )
