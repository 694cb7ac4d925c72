"""A Ray cluster of two nodes on this machine: a process that runs it until it is stopped."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from support.video import ROOT

_CODE = """
import json, sys
from ray.cluster_utils import Cluster

cluster = Cluster()
cluster.add_node(num_cpus=1, object_store_memory=2**27, include_dashboard=False)
cluster.add_node(num_cpus=1, object_store_memory=2**27)
cluster.wait_for_nodes()
print(json.dumps({"address": cluster.address}), flush=True)
sys.stdin.readline()
cluster.shutdown()
"""


class LocalCluster:
    """Started on entering, stopped on leaving. ``address`` is the argument of ``--cluster``.

    ``folder`` is the nodes' temporary folder.
    """

    address: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _CODE],
            # Ray's sockets need a short path.
            env={**_environment(), "TMPDIR": str(self.folder), "RAY_TMPDIR": "/tmp"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                self.address = json.loads(line)["address"]
                return self
        raise RuntimeError("the Ray cluster did not start")

    def __exit__(self, *_: object) -> None:
        self._process.communicate("end\n", timeout=120)

    def encoding_processes(self) -> list[int]:
        """The processes of this cluster that are encoding a segment."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                title, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            except OSError:
                continue
            ours = f"TMPDIR={self.folder}".encode() in environment.split(b"\0")
            if ours and title.startswith(b"ray::_run_remotely"):
                found.append(int(entry.name))
        return found


def start_driver(arguments: Sequence[str], prelude: str = "") -> subprocess.Popen[str]:
    """The command ``dynerf`` in a separate process, after some Python code."""
    code = f"import sys\n{prelude}\nfrom dynerf.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _environment() -> dict[str, str]:
    packages = [str(ROOT / package) for package in ("encoder", "decoder", "format", "player", ".")]
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "OMP_WAIT_POLICY": "PASSIVE"}
    return {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(packages)}
