"""Everything that can be wrong with what a user gives us, as one exception tree.

::

    DynerfError                  shown to the user as one line, exit status 2, no traceback
    ├── FormatError              a .dnv file that cannot be trusted
    │   ├── NotDnvError          some other kind of file, or empty
    │   ├── VersionError         written by a newer major version
    │   ├── TruncatedError       bytes are missing
    │   ├── ChecksumError        bytes were changed
    │   └── LimitError           declares more than the reader is willing to allocate
    ├── RemoteError              an address whose bytes cannot be had
    │   └── ChangedError         it has another content than when it was opened
    ├── CaptureError             a capture folder, video or pose file that cannot be used
    ├── ConfigError              an option, preset or setting that makes no sense
    ├── ViewError                a view, time or picture size that cannot be rendered
    ├── ResumeError              a checkpoint that does not belong to this job
    └── OutputError              the result cannot be written

A message says what was found, what was expected, and where. An OSError that
escapes is shown as :func:`describe` has it; anything else is a bug.
"""

import os


class DynerfError(Exception):
    """Base of all errors that the user's input can cause."""


class FormatError(DynerfError):
    """The bytes do not follow ``format/SPEC.md``."""


class NotDnvError(FormatError):
    """The file does not start like a .dnv file."""


class VersionError(FormatError):
    """The file needs a newer reader."""


class TruncatedError(FormatError):
    """The file ends before its own directory says it does."""


class ChecksumError(FormatError):
    """Stored bytes do not match their checksum."""


class LimitError(FormatError):
    """The file declares sizes beyond the reader's limits."""


class RemoteError(DynerfError):
    """The clip at an address cannot be read: no such file, no answer, or not by range requests."""


class ChangedError(RemoteError):
    """The clip at an address was replaced while it was read: open it again."""


class CaptureError(DynerfError):
    """The capture cannot be read or is inconsistent."""


class ConfigError(DynerfError):
    """A setting is unknown, of the wrong type or out of range."""


class ViewError(DynerfError):
    """The requested view, time or size cannot be rendered."""


class ResumeError(DynerfError):
    """The checkpoint and the job at hand do not belong together."""


class OutputError(DynerfError):
    """The output cannot be written where it was asked for."""


def describe(error: OSError) -> str:
    """What the operating system refused, and where, in one line: ``/mnt/a.dnv: No space left on device``."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    if not names and error.errno is not None and error.strerror == os.strerror(error.errno):
        names = [
            "a file cannot be read or written"
        ]  # the system's words alone; Python's own say what they are about
    return ": ".join([*([" and ".join(names)] if names else []), reason(error)])


def reason(error: OSError) -> str:
    """What the operating system refused, in its own words."""
    return " ".join((error.strerror or str(error) or type(error).__name__).split())
