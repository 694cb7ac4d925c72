"""Checkpoints: everything needed to resume a training, in one file without executable content.

A checkpoint is a NumPy archive of plain arrays and a JSON text; nothing is pickled, and object arrays are
refused. It is written under a temporary name, flushed and renamed, so whenever the process dies either the
old or the new one is complete. Random numbers need no state: each step derives them from the seed and its
number.
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
    """``job`` identifies what is encoded, ``state`` is the trainer's progress, ``arrays`` its parameters."""

    job: dict[str, Any]
    state: dict[str, Any]
    arrays: dict[str, np.ndarray]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically. Raises OutputError on a full disk."""
    arrays: dict[str, Any] = {f"array/{name}": np.asarray(array) for name, array in checkpoint.arrays.items()}
    metadata = json.dumps(
        {"version": _VERSION, "job": checkpoint.job, "state": checkpoint.state, "arrays": len(arrays)}
    )
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, about=np.frombuffer(metadata.encode(), dtype=np.uint8), **arrays)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises ResumeError when it is missing, damaged or of another version."""
    if not path.is_file():
        raise ResumeError(f"{path}: no checkpoint to resume from; run the same command without --resume")
    try:
        _check_sums(path)
        with np.load(path, allow_pickle=False) as archive:
            contents = {name: archive[name] for name in archive.files}
        metadata = json.loads(contents.pop("about").tobytes())
        version, job, state = metadata["version"], metadata["job"], metadata["state"]
        if len(contents) != metadata["arrays"]:  # damage to the archive's directory can hide entries
            raise ValueError(f"{len(contents)} of {metadata['arrays']} arrays")
    except Exception as error:  # zipfile and numpy's header parser raise many types on damaged bytes
        raise ResumeError(
            f"{path}: not a whole checkpoint ({error}); encode again without --resume"
        ) from error
    if version != _VERSION or not isinstance(job, dict) or not isinstance(state, dict):
        raise ResumeError(f"{path}: checkpoint of version {version!r}, this program writes {_VERSION}")
    return Checkpoint(job, state, {name.removeprefix("array/"): array for name, array in contents.items()})


def _check_sums(path: Path) -> None:
    """Verify all checksums; numpy does not if a damaged header makes it read less than was stored."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} is damaged")


def check_same_job(path: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Refuse a checkpoint of another job and name the differences. Raises ResumeError."""
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
