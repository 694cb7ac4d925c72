"""An evaluation as one HTML page that needs no network: figures, PSNR over time, pictures, the file's
anatomy.

Pictures are inside the page (PNG, data URIs), the chart is SVG. Everything that came from a file or a capture
is escaped before it becomes part of the page; the page has no script.
"""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from dynerf_decoder.clip import Clip
from dynerf_decoder.movie import png_bytes
from dynerf_decoder.picture import rgb_to_uint8
from dynerf_format.atomic import atomic_path
from dynerf_format.errors import OutputError

from .evaluate import FIGURES, Evaluation, FrameScore

_ERROR_GAIN = 5  # error pictures show five times the absolute difference
_WIDTH, _HEIGHT = 640, 160
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}img{width:32%;image-rendering:pixelated}"
    "figure{margin:1em 0}polyline{fill:none;stroke:#06c;stroke-width:2}text{font-size:12px}"
)


class Report:
    """Collects the pictures that are shown, the first, the worst and the best, while they are compared."""

    def __init__(self, folder: Path, clip: Clip) -> None:
        """Make the folder. Raises OutputError."""
        self._path = folder / "index.html"
        self._clip = clip
        self._kept: dict[str, tuple[FrameScore, str]] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error

    def watch(
        self,
        score: FrameScore,
        decoded: Float[Tensor, "height width 3"],
        truth: Float[Tensor, "height width 3"],
    ) -> None:
        """Keep the pictures of a comparison if the page will show them."""
        worst, best = (self._kept.get(which) for which in ("worst", "best"))
        wanted = [
            which
            for which, wins in (
                ("first", "first" not in self._kept),
                ("worst", worst is None or score.psnr < worst[0].psnr),
                ("best", best is None or score.psnr > best[0].psnr),
            )
            if wins
        ]
        if wanted:
            shown = (score, _pictures(decoded, truth))
            self._kept |= dict.fromkeys(wanted, shown)

    def write(self, result: Evaluation) -> Path:
        """Write the page and return its path. Raises OutputError."""
        page = "\n".join(
            [*self._head(), *_table(result), *_chart(result), *self._figures(), *self._anatomy()]
        )
        with atomic_path(self._path) as temporary:
            try:
                temporary.write_text(page, encoding="utf-8")
            except OSError as error:
                raise OutputError(f"{self._path}: cannot be written: {error.strerror}") from error
        return self._path

    def _head(self) -> list[str]:
        title = escape(self._clip.name)
        return [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>",
        ]

    def _figures(self) -> list[str]:
        lines = [f"<h2>Pictures</h2><p>Decoded, true, and {_ERROR_GAIN} times the absolute difference.</p>"]
        for which, (score, pictures) in self._kept.items():
            caption = f"{which}: {score.view}, frame {score.frame}, {score.psnr:.2f} dB"
            lines.append(f"<figure>{pictures}<figcaption>{escape(caption)}</figcaption></figure>")
        return lines

    def _anatomy(self) -> list[str]:
        header, spent = self._clip.header, self._clip.reader.bytes_by_kind()
        total = sum(spent.values())
        rows = [
            f"<tr><td>{escape(kind)}</td><td>{count:,}</td><td>{100 * count / total:.1f} %</td></tr>"
            for kind, count in spent.items()
        ]
        return [
            f"<h2>The file</h2><p>{total:,} bytes, {header.frames} frames at {float(header.fps):g} "
            f"per second, {len(header.cameras)} cameras, {escape(header.field.kind)} field.</p>",
            "<table><tr><th>part</th><th>bytes</th><th>share</th></tr>",
            *rows,
            "</table></body></html>",
        ]


def _pictures(decoded: Tensor, truth: Tensor) -> str:
    """Three img elements."""
    error = ((decoded - truth).abs() * _ERROR_GAIN).clamp(0, 1)
    return "".join(_image(rgb_to_uint8(picture)) for picture in (decoded, truth, error))


def _image(rgb: np.ndarray) -> str:
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(png_bytes(rgb)).decode()}">'


def _table(result: Evaluation) -> list[str]:
    means = {name: result.mean(name) for name in FIGURES} | {"jod": result.jod}
    rows = [
        f"<tr><td>{name}</td><td>{'-' if value is None else f'{value:.5g}'}</td>"
        f"<td>{escape(result.missing.get(name, ''))}</td></tr>"
        for name, value in means.items()
    ]
    heading = f"<h2>Means of {len(result.frames)} pictures of {escape(', '.join(result.views))}</h2>"
    return [heading, "<table><tr><th>metric</th><th>mean</th><th></th></tr>", *rows, "</table>"]


def _chart(result: Evaluation) -> list[str]:
    """PSNR over time, one line per view."""
    values = [score.psnr for score in result.frames]
    low, high = min(values), max(values)
    last = max(1, max(score.frame for score in result.frames))
    lines = [f'<h2>PSNR over time</h2><svg viewBox="-50 -10 {_WIDTH + 60} {_HEIGHT + 30}">']
    for view in result.views:
        scores = [score for score in result.frames if score.view == view]
        lines.append(f'<polyline points="{_points(scores, low, high, last)}"><title>{escape(view)}</title>')
        lines.append("</polyline>")
    lines += [
        f'<text x="-50" y="5">{high:.2f} dB</text><text x="-50" y="{_HEIGHT}">{low:.2f} dB</text>',
        f'<text x="0" y="{_HEIGHT + 18}">frame 0</text>',
        f'<text x="{_WIDTH}" y="{_HEIGHT + 18}" text-anchor="end">{last}</text></svg>',
    ]
    return lines


def _points(scores: Sequence[FrameScore], low: float, high: float, last: int) -> str:
    scale = _HEIGHT / max(high - low, 1e-9)
    return " ".join(
        f"{_WIDTH * score.frame / last:.1f},{(high - score.psnr) * scale:.1f}" for score in scores
    )
