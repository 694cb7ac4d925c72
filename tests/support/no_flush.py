"""A replacement for ``os.fsync``: the files of tests need not survive a power failure."""


def no_flush(fd: object) -> None:
    """Do nothing. A tiny encode flushes 40 files, which takes longer than its computations on some disks."""
