"""Work in parts, which may be nested."""

import subprocess
import sys

_CODE = """
import torch
from dynerf_decoder.threads import in_threads

torch.set_num_threads(2)
done = []

def outer(first):
    torch.set_num_threads(2)  # as torch does in a thread that is new to it
    in_threads(lambda second: done.append((first, second)), range(3))

in_threads(outer, range(4))
print(sorted(done) == [(first, second) for first in range(4) for second in range(3)])
"""


def test_nested_parts_all_run() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _CODE], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "True\n"
