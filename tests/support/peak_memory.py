"""The most memory that this process has held, for tests that measure it in a process of their own.

``resource.getrusage`` does not serve: on Linux, its ``ru_maxrss`` begins with the peak of the parent process.
"""

from pathlib import Path


def peak_memory() -> int:
    """In KiB, of this program alone."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
