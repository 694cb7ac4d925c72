"""Checkpoints: exact, complete or absent, and never a way to execute code."""

import errno
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynerf_encoder.training.checkpoint import Checkpoint, check_same_job, load_checkpoint, save_checkpoint
from dynerf_format.errors import OutputError, ResumeError

_JOB: dict[str, Any] = {
    "seed": 3, "time_limit": None, "hold_out": ["cam00"],
    "configuration": {"schedule": {"scale": 0.1, "rays": 96}, "field": "planes"},
}  # fmt: skip


def _example(value: float = 1.0) -> Checkpoint:
    odd = np.array([np.nan, -np.nan, np.inf, -0.0, 1e-45, value], np.float32)
    arrays: dict[str, np.ndarray] = {
        "model/fine.static.0": np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7,
        "adam/0/step": np.array(17.0, np.float32),
        "adam/12/exp_avg": odd,
        "empty": np.zeros((0, 3), np.float32),
        "latents": np.arange(6, dtype=np.float64).reshape(3, 2)[:, ::-1],
    }
    return Checkpoint(_JOB, {"step": 17, "position": 0.1 + 0.2, "seconds": 1 / 3, "stage": 1}, arrays)


def _same(a: Checkpoint, b: Checkpoint) -> bool:
    return (a.job, a.state, a.arrays.keys()) == (b.job, b.state, b.arrays.keys()) and all(
        (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes())
        for x, y in ((a.arrays[name], b.arrays[name]) for name in a.arrays)
    )


def _archive(about: bytes | np.ndarray, **arrays: Any) -> bytes:
    file = io.BytesIO()
    about = np.frombuffer(about, np.uint8) if isinstance(about, bytes) else about
    np.savez(file, about=about, **arrays)
    return file.getvalue()


def _about(**changes: object) -> bytes:
    return json.dumps({"version": 1, "job": {}, "state": {}, "arrays": 0} | changes).encode()


class _Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


class TestRoundTrip:
    def test_is_exact_to_the_bit(self, tmp_path: Path) -> None:
        save_checkpoint(tmp_path / "checkpoint.npz", _example())
        assert _same(load_checkpoint(tmp_path / "checkpoint.npz"), _example())

    def test_a_newer_one_replaces_the_older(self, tmp_path: Path) -> None:
        for value in (1.0, 2.0):
            save_checkpoint(tmp_path / "checkpoint.npz", _example(value))
        assert _same(load_checkpoint(tmp_path / "checkpoint.npz"), _example(2.0))
        assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


class TestWriting:
    @pytest.mark.parametrize(
        ("error", "shown"),
        [
            (OSError(errno.ENOSPC, "No space left on device"), OutputError),
            (KeyboardInterrupt(), KeyboardInterrupt),
            (MemoryError(), MemoryError),
        ],
    )
    def test_a_failure_in_the_middle_leaves_the_old_one_and_nothing_else(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        error: BaseException,
        shown: type[BaseException],
    ) -> None:
        path = tmp_path / "checkpoint.npz"
        save_checkpoint(path, _example(1.0))

        def fail(file: io.BufferedWriter, **_arrays: object) -> None:
            file.write(b"PK half")
            raise error

        monkeypatch.setattr(np, "savez", fail)
        with pytest.raises(shown):
            save_checkpoint(path, _example(2.0))
        assert _same(load_checkpoint(path), _example(1.0))
        assert [found.name for found in tmp_path.iterdir()] == ["checkpoint.npz"]


class TestReading:
    def test_a_missing_one_is_refused_with_what_to_do(self, tmp_path: Path) -> None:
        for path in (tmp_path / "checkpoint.npz", tmp_path):
            with pytest.raises(ResumeError, match=r"no checkpoint to resume from; run .* without --resume"):
                load_checkpoint(path)

    def test_a_truncated_one_is_refused_at_every_length(self, tmp_path: Path) -> None:
        path = tmp_path / "checkpoint.npz"
        save_checkpoint(path, _example())
        whole = path.read_bytes()
        for length in range(0, len(whole), 7):
            path.write_bytes(whole[:length])
            with pytest.raises(ResumeError, match="not a whole checkpoint"):
                load_checkpoint(path)

    @pytest.mark.parametrize("mask", [0x06, 0x81])
    def test_a_changed_byte_is_noticed_or_changes_nothing(self, tmp_path: Path, mask: int) -> None:
        # 0x06 turns a float32 into a float16 ("<f4", "<f2") that is read without reaching its checksum
        path = tmp_path / "checkpoint.npz"
        save_checkpoint(path, _example())
        whole = bytearray(path.read_bytes())
        refused = 0
        for index in range(len(whole)):
            path.write_bytes(whole[:index] + bytes([whole[index] ^ mask]) + whole[index + 1 :])
            try:
                found = load_checkpoint(path)
            except ResumeError:
                refused += 1
            else:
                assert _same(found, _example()), f"byte {index}"
        assert refused > len(whole) / 3  # the others are in unused fields such as dates

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"not an archive",
            b"PK\x05\x06" + bytes(18),
            _archive(b""),
            _archive(b"{"),
            _archive(b"[1]"),
            _archive(b'"text"'),
            _archive(b"\xff\xfe"),
            _archive(b"[" * 100_000),
            _archive(b'{"version": 1, "job": {}, "arrays": 0}'),
            _archive(_about(version=2)),
            _archive(_about(version=None)),
            _archive(_about(job=[])),
            _archive(_about(state=0)),
            _archive(_about(arrays=2)),
            _archive(_about(), latents=np.zeros(2)),
            _archive(np.array(1.5)),
        ],
        ids=str,
    )
    def test_what_is_not_a_checkpoint_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "checkpoint.npz"
        path.write_bytes(content)
        with pytest.raises(ResumeError, match=f"^{path}: "):
            load_checkpoint(path)

    def test_another_version_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "checkpoint.npz"
        path.write_bytes(_archive(_about(version=7)))
        with pytest.raises(ResumeError, match="checkpoint of version 7, this program writes 1"):
            load_checkpoint(path)

    def test_pickled_objects_are_refused_and_never_executed(self, tmp_path: Path) -> None:
        path, trace = tmp_path / "checkpoint.npz", tmp_path / "executed"
        bomb = np.array([_Bomb(trace)], dtype=object)
        bare = io.BytesIO()
        np.save(bare, bomb, allow_pickle=True)
        contents = {
            "an array": _archive(_about(arrays=1), **{"array/latents": bomb}),
            "the text": _archive(bomb),
            "the whole archive": bare.getvalue(),
            "a pickle": pickle.dumps(_Bomb(trace)),
        }
        for where, content in contents.items():
            path.write_bytes(content)
            with pytest.raises(ResumeError):
                load_checkpoint(path)
            assert not trace.exists(), where
        pickle.loads(contents["a pickle"])
        assert trace.exists()  # so the pickle was effective


class TestSameJob:
    def test_equal_jobs_pass(self) -> None:
        check_same_job(Path("checkpoint.npz"), json.loads(json.dumps(_JOB)), _JOB)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"seed": 4}, "seed was 3, now 4"),
            ({"time_limit": 90.0}, "time_limit was null, now 90.0"),
            ({"hold_out": []}, 'hold_out was ["cam00"], now []'),
            ({"device": "cuda"}, 'device was absent, now "cuda"'),
            (
                {"configuration": {"schedule": {"scale": 0.2, "rays": 96}, "field": "planes"}},
                "configuration.schedule.scale was 0.1, now 0.2",
            ),
        ],
    )
    def test_another_is_refused_with_the_differences(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(ResumeError) as caught:
            check_same_job(Path("checkpoint.npz"), _JOB, _JOB | changes)
        assert str(caught.value) == f"checkpoint.npz: belongs to another job: {message}"

    def test_several_differences_are_all_named(self) -> None:
        with pytest.raises(ResumeError, match=r"hold_out was .*; seed was 3, now 4"):
            check_same_job(Path("checkpoint.npz"), _JOB, _JOB | {"seed": 4, "hold_out": []})
