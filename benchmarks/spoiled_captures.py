"""Measures ``dynerf check``: captures that nothing is wrong with, and the same ones spoiled in twelve ways.

    PYTHONPATH=tests python benchmarks/spoiled_captures.py samples/candle [other captures ...]
    PYTHONPATH=tests python benchmarks/spoiled_captures.py samples/candle --case "two rows swapped"

Prints a Markdown table: what was done to a capture, what ``check`` found, and whether it named that and
nothing else. Captures that are not in the N3V layout are checked as they are and not spoiled. Needs pycolmap.
Where only poses differ, pictures are read and matched once. Notes do not count as findings.
"""

import argparse
import tempfile
import time
from pathlib import Path

from dynerf_encoder.captures.layouts.read_capture import read_capture
from dynerf_encoder.checking.check import CheckOptions, Evidence, compare, gather
from dynerf_encoder.checking.result import CheckResult
from support.spoiled import CASES, Spoiled, spoil


def _progress(_stage: str, _done: int, _total: int) -> None:
    """Progress is not shown."""


def main() -> None:
    """Check all captures and print a row for each case."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("captures", nargs="+", type=Path)
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this; may be repeated")
    arguments = parser.parse_args()
    print("| capture | what was done | found | named, and nothing else |\n|---|---|---|---|")
    for source in arguments.captures:
        _capture(source, arguments.case or list(CASES), only=bool(arguments.case))


def _capture(source: Path, cases: list[str], *, only: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        options = CheckOptions(source)
        capture = read_capture(source)
        start = time.monotonic()
        evidence = gather(options, capture, Path(folder), _progress)
        spoilable = (source / "poses_bounds.npy").exists()
        layout = "n3v" if spoilable else "nerfstudio"
        result = compare(layout, capture, evidence, _progress)
        if not only:
            seconds = time.monotonic() - start
            verdict = str(result.verdict).split(",")[0]
            _row(source, f"nothing ({seconds:.0f} s)", result, "yes" if verdict == "good" else verdict)
        for name in cases if spoilable else []:
            _row(source, name, *_spoiled(source, name, evidence))


def _spoiled(source: Path, name: str, evidence: Evidence) -> tuple[CheckResult, str]:
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        target = spoil(source, Path(folder) / source.name, case)
        options, capture = CheckOptions(target), read_capture(target)
        if case.videos is not None:
            evidence = gather(options, capture, Path(folder) / "work", _progress)
        result = compare("n3v", capture, evidence, _progress)
        return result, _named(case, result)


def _named(case: Spoiled, result: CheckResult) -> str:
    findings = [finding for finding in result.findings if finding.severity != "note"]
    cameras = tuple(result.names[index] for index in case.cameras)
    right = [
        finding for finding in findings
        if finding.kind == case.kind and finding.cameras == cameras and case.words in finding.message
    ]  # fmt: skip
    if not right:
        return "**no**"
    return "yes" if len(findings) == 1 else "named, with others"


def _row(source: Path, what: str, result: CheckResult, verdict: str) -> None:
    found = [finding.message for finding in result.findings if finding.severity != "note"]
    print(f"| {source.name} | {what} | {'; '.join(found) or 'nothing'} | {verdict} |", flush=True)


if __name__ == "__main__":
    main()
