"""Two processes of a group train as one does: same loss curve, same file, written once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dynerf_encoder.step.distributed import ProcessGroup
from dynerf_format import FileSource, Reader
from dynerf_format.errors import ConfigError
from support.command import run
from support.encoding import encode_arguments, write_scene
from support.video import ROOT

_PACKAGES = ("encoder", "decoder", "format", ".")


# Several processes train by autograd; a single one would use kernels, which round differently.
# The two are forks of a process that has loaded torch and what its optimisers load; their environment is that
# which torchrun would give them.
# Threads of the group that still run when the interpreter shuts down would abort the process now and then.
_COMMAND = """
import os, pathlib, socket, sys
import dynerf.cli.main, dynerf_encoder.step.factory, torch._dynamo
dynerf_encoder.step.factory.supports = lambda *_: False
with socket.create_server(("127.0.0.1", 0)) as free:
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
for rank in "01":
    if os.fork() == 0:
        os.environ.update(group, RANK=rank, LOCAL_RANK=rank)
        status = dynerf.cli.main.main(sys.argv[1:])
        threads = [path.read_text().strip() for path in pathlib.Path("/proc/self/task").glob("*/comm")]
        left = [name for name in threads if "gloo" in name]
        sys.stderr.write(f"threads of the group: {left}\\n")  # in one piece: two processes write
        sys.exit(status)
sys.exit(max(os.waitstatus_to_exitcode(os.wait()[1]) != 0 for _ in "01"))
"""


def _encode_by_two(arguments: list[str]) -> tuple[int, str]:
    """Status and standard error of two processes."""
    ran = subprocess.run(
        [sys.executable, "-c", _COMMAND, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / package) for package in _PACKAGES)},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert ran.stderr.count("threads of the group: []") == 2, ran.stderr
    return ran.returncode, ran.stderr


def _encode_by_one(arguments: list[str]) -> tuple[int, str]:
    """Status and standard error of this process."""
    ran = run(*arguments)
    return ran.status, ran.err


@pytest.mark.long
def test_two_processes_learn_what_one_does_and_one_of_them_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynerf_encoder.step.factory.supports", lambda *_: False)
    capture = write_scene(tmp_path / "scene")
    weights, latents, events = [], [], []
    for encode in (_encode_by_one, _encode_by_two):
        folder = tmp_path / encode.__name__
        folder.mkdir()
        status, stderr = encode(encode_arguments(capture, folder / "a.dnv"))
        assert status == 0, stderr
        assert stderr.count("held-out PSNR") == 1
        assert sorted(path.name for path in folder.iterdir()) == ["a.dnv", "a.log.jsonl", "a.work"]
        with FileSource(folder / "a.dnv") as source:
            reader = Reader(source)
            weights.append(reader.weights(0))
            latents.append(reader.latents(0, 5))
        lines = [json.loads(line) for line in (folder / "a.log.jsonl").read_text().splitlines()]
        events.append([line for line in lines if line["event"] in ("held_out", "done")])
    assert [event["event"] for event in events[0]].count("held_out") == 10
    for one, two in zip(*events, strict=True):
        assert one["psnr"] == pytest.approx(two["psnr"], abs=0.02)
    for name, one in weights[0].items():
        difference = np.abs(one.symbols.astype(int) - weights[1][name].symbols)
        assert difference.max() <= 1, name  # a value between two steps may be rounded either way
    np.testing.assert_allclose(latents[0], latents[1], atol=0.05)


@pytest.mark.parametrize("size", [2, 4])
def test_shares_of_a_batch_are_the_whole_batch(size: int) -> None:
    shares = [np.arange(4)[ProcessGroup(rank, size).share(4)] for rank in range(size)]
    assert np.concatenate(shares).tolist() == [0, 1, 2, 3]


class TestProcessGroup:
    def test_one_process_changes_nothing(self) -> None:
        group = ProcessGroup()
        parameter = torch.ones(2, requires_grad=True)
        (3 * parameter).sum().backward()  # type: ignore[no-untyped-call]
        group.average_gradients([parameter])
        assert parameter.grad is not None
        assert parameter.grad.tolist() == [3, 3]
        assert (group.any(True, "cpu"), group.any(False, "cpu"), group.leads) == (True, False, True)

    def test_frames_that_cannot_be_shared_evenly_are_refused(self) -> None:
        with pytest.raises(
            ConfigError, match="frames_per_step: found 3, expected a multiple of the 2 processes"
        ):
            ProcessGroup(0, 2).check(3)
