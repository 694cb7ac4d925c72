"""What a test of a capture has found, in one form for tables, JSON and warnings."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["fatal", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One finding. ``kind`` is a fixed word for programs, ``cameras`` those that it concerns.

    ``fatal``: no useful training is possible. ``warning``: one that leaves the cameras out, or corrects them,
    gives more. ``note``: worth knowing.
    """

    kind: str
    cameras: tuple[str, ...]
    message: str
    severity: Severity = "warning"


def cameras_of(findings: Iterable[Finding], *kinds: str) -> tuple[str, ...]:
    """The cameras of the findings of some kinds, each once."""
    found = [name for finding in findings if finding.kind in kinds for name in finding.cameras]
    return tuple(dict.fromkeys(found))
