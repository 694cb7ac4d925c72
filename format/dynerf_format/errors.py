"""The exception hierarchy for everything that can be wrong with user input.

::

    DynerfError                  shown to the user as one line, exit status 2, no traceback
    ├── FormatError              a .dnv file that is invalid
    │   ├── NotDnvError          some other kind of file, or empty
    │   ├── VersionError         written by a newer major version
    │   ├── TruncatedError       bytes are missing
    │   ├── ChecksumError        bytes were changed
    │   └── LimitError           declares more than the reader may allocate
    ├── RemoteError              an address that cannot be read
    │   └── ChangedError         its content changed after it was opened
    ├── CaptureError             a capture folder, video or pose file that cannot be used
    ├── ConfigError              an option, preset or setting that is invalid
    ├── ViewError                a view, time or picture size that cannot be rendered
    ├── ResumeError              a checkpoint that does not belong to this job
    └── OutputError              the result cannot be written

A message states what was found, what was expected, and where. An uncaught OSError
is shown as formatted by :func:`describe`; any other exception is a bug.
"""

import os


class DynerfError(Exception):
    """Base of all errors that the user's input can cause."""


class FormatError(DynerfError):
    """The bytes do not follow ``format/SPEC.md``."""


class NotDnvError(FormatError):
    """The file does not start with the magic bytes of a .dnv file."""


class VersionError(FormatError):
    """The file needs a newer reader."""


class TruncatedError(FormatError):
    """The file is shorter than its head declares."""


class ChecksumError(FormatError):
    """Stored bytes do not match their checksum."""


class LimitError(FormatError):
    """The file declares sizes beyond the reader's limits."""


class RemoteError(DynerfError):
    """The clip at an address cannot be read: no such file, no response, or no support for range requests."""


class ChangedError(RemoteError):
    """The clip at an address was replaced while it was being read; open it again."""


class CaptureError(DynerfError):
    """The capture cannot be read or is inconsistent."""


class ConfigError(DynerfError):
    """A setting is unknown, of the wrong type or out of range."""


class ViewError(DynerfError):
    """The requested view, time or size cannot be rendered."""


class ResumeError(DynerfError):
    """The checkpoint does not belong to this job."""


class OutputError(DynerfError):
    """The output cannot be written to the requested path."""


def describe(error: OSError) -> str:
    """Format an OSError on one line, with its path: ``/mnt/a.dnv: No space left on device``."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    if not names and error.errno is not None and error.strerror == os.strerror(error.errno):
        # Messages of the system do not say what they refer to; messages of Python do.
        names = ["a file cannot be read or written"]
    return ": ".join([*([" and ".join(names)] if names else []), reason(error)])


def reason(error: OSError) -> str:
    """The operating system's message, on one line."""
    return " ".join((error.strerror or str(error) or type(error).__name__).split())
