"""Checkpoints: everything a training needs to go on, in one file without executable content.

A checkpoint is a NumPy archive of plain arrays and a JSON text; nothing is pickled, and object arrays are
refused. It is written beside its final name, flushed and renamed, so that whenever the process dies the old
or the new one is whole. Random numbers need no state: each step derives its own from the seed and its number.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dynerf_format.errors import ResumeError
from dynerf_format.io.atomic_write import atomic_path

_VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """``job`` identifies what is being encoded, ``state`` is the trainer's place, ``arrays`` its numbers."""

    job: dict[str, Any]
    state: dict[str, Any]
    arrays: dict[str, np.ndarray]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically. Raises OutputError on a full disk."""
    arrays: dict[str, Any] = {f"array/{name}": np.asarray(array) for name, array in checkpoint.arrays.items()}
    about = json.dumps(
        {"version": _VERSION, "job": checkpoint.job, "state": checkpoint.state, "arrays": len(arrays)}
    )
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, about=np.frombuffer(about.encode(), dtype=np.uint8), **arrays)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises ResumeError when it is missing, damaged or of another version."""
    if not path.is_file():
        raise ResumeError(f"{path}: no checkpoint to resume from; run the same command without --resume")
    try:
        _check_sums(path)
        with np.load(path, allow_pickle=False) as archive:
            contents = {name: archive[name] for name in archive.files}
        about = json.loads(contents.pop("about").tobytes())
        version, job, state = about["version"], about["job"], about["state"]
        if len(contents) != about["arrays"]:  # damage in the archive's directory can hide entries
            raise ValueError(f"{len(contents)} of {about['arrays']} arrays")
    except Exception as error:  # zipfile and numpy's header parser leak many kinds on damaged bytes
        raise ResumeError(
            f"{path}: not a whole checkpoint ({error}); encode again without --resume"
        ) from error
    if version != _VERSION or not isinstance(job, dict) or not isinstance(state, dict):
        raise ResumeError(f"{path}: checkpoint of version {version!r}, this program writes {_VERSION}")
    return Checkpoint(job, state, {name.removeprefix("array/"): array for name, array in contents.items()})


def _check_sums(path: Path) -> None:
    """Compare all checksums; numpy does not when a damaged header makes it read less than was stored."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} is damaged")


def check_same_job(path: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Refuse a checkpoint of another job, naming what differs. Raises ResumeError."""
    flat_found, flat_expected = dict(_flatten(found)), dict(_flatten(expected))
    differing = [
        f"{key} was {flat_found.get(key, 'absent')}, now {flat_expected.get(key, 'absent')}"
        for key in sorted(flat_found.keys() | flat_expected.keys())
        if flat_found.get(key) != flat_expected.get(key)
    ]
    if differing:
        raise ResumeError(f"{path}: belongs to another job: " + "; ".join(differing[:6]))


def _flatten(value: object, prefix: str = "") -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        return [(prefix, json.dumps(value))]
    return [item for key in value for item in _flatten(value[key], f"{prefix}.{key}" if prefix else key)]
