"""Work in parts: a part may have parts of its own."""

import subprocess
import sys

_CODE = """
import torch
from dynerf_decoder.backends.cpu.threads import in_threads

torch.set_num_threads(2)
done = []

def outer(first):
    torch.set_num_threads(2)  # as torch itself does in a thread that it has not seen yet
    in_threads(lambda second: done.append((first, second)), range(3))

in_threads(outer, range(4))
print(sorted(done) == [(first, second) for first in range(4) for second in range(3)])
"""


def test_parts_of_parts_are_all_done() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _CODE], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout == "True\n"
