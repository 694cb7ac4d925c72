"""Plays clips in a page for a long time, with seeks and changes of the clip, and prints what the page holds.

    python benchmarks/browser_soak.py a.dnv b.dnv [--minutes 10] [--seeks 200] [--changes 20] [--gl llvmpipe]

The clips are played in a loop in Chromium, in turns. Every fourth change ends with the first clip opened
anew and decoded; then are measured, after a collection of garbage: the JavaScript heap of the page, all heaps
with those of its workers, and how many textures, framebuffers, buffers and programs live in the graphics
context.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / folder) for folder in ("format", "decoder", "encoder", "player", ".", "tests")]

from support.browser import chromium, open_page  # noqa: E402
from support.gl import ARGUMENTS  # noqa: E402
from support.long_play import EAGER, Sample, long_play  # noqa: E402

COLUMNS = (
    "seconds",
    "heap, kB",
    "all heaps, kB",
    "workers",
    "textures",
    "framebuffers",
    "buffers",
    "programs",
)


def main() -> None:
    """Play, and print a row of a table for each sample."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeks", type=int, default=200)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--gl", default="llvmpipe", choices=sorted(ARGUMENTS))
    options = parser.parse_args()
    clips = [path.read_bytes() for path in options.clips]
    print("| " + " | ".join(COLUMNS) + " |\n|" + "--:|" * len(COLUMNS))
    with chromium(*ARGUMENTS[options.gl], EAGER) as browser, open_page(browser) as page:
        for sample in long_play(
            page, clips, seconds=60 * options.minutes, seeks=options.seeks, changes=options.changes,
            samples=max(1, options.changes // 4),
        ):  # fmt: skip
            print(row(sample), flush=True)


def row(sample: Sample) -> str:
    """A row of the table."""
    return (
        f"| {sample.seconds:.0f} | {sample.heap / 1000:,.0f} | {sample.heaps / 1000:,.0f} | {sample.workers} "
        f"| {sample.textures} | {sample.framebuffers} | {sample.buffers} | {sample.programs} |"
    )


if __name__ == "__main__":
    main()
