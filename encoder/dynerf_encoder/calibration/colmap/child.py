"""Runs one request in this process: ``python -m dynerf_encoder.calibration.colmap.child TASK REQUEST.json``.

Prints a line per finished unit. Ends when its standard input closes, so that no child outlives its parent.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

READY = "done"


def main() -> None:
    """Run a request and report its progress."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its children
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import pycolmap

    from .extraction import extract_all
    from .mapping import solve_all
    from .verification import match_all

    pycolmap.logging.minloglevel = 2
    pycolmap.logging.logtostderr = True
    tasks = {"extract": extract_all, "match": match_all, "solve": solve_all}
    request = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    for _ in tasks[sys.argv[1]](request):
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()


def _end_with_parent() -> None:
    # Not sys.stdin, whose lock would be held when the interpreter shuts down.
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
