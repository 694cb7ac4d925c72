/**
 * The exception hierarchy of `dynerf_format/errors.py`, as far as a reader can meet it, under the same names:
 *
 *     DynerfError
 *     ├── FormatError          a .dnv file that is invalid
 *     │   ├── NotDnvError      some other kind of file, or empty
 *     │   ├── VersionError     written by a newer major version
 *     │   ├── TruncatedError   bytes are missing
 *     │   ├── ChecksumError    bytes were changed
 *     │   └── LimitError       declares more than the reader may allocate
 *     ├── RemoteError          an address that cannot be read
 *     │   └── ChangedError     its content changed after it was opened
 *     └── ViewError            a segment, layer or frame that the clip does not have
 *
 * A message states what was found, what was expected, and where. Any other exception is a bug.
 */
export class DynerfError extends Error {
  get name() {
    return this.constructor.errorName;
  }

  static errorName = "DynerfError";
}

export class FormatError extends DynerfError {
  static errorName = "FormatError";
}

export class NotDnvError extends FormatError {
  static errorName = "NotDnvError";
}

export class VersionError extends FormatError {
  static errorName = "VersionError";
}

export class TruncatedError extends FormatError {
  static errorName = "TruncatedError";
}

export class ChecksumError extends FormatError {
  static errorName = "ChecksumError";
}

export class LimitError extends FormatError {
  static errorName = "LimitError";
}

export class RemoteError extends DynerfError {
  static errorName = "RemoteError";
}

export class ChangedError extends RemoteError {
  static errorName = "ChangedError";
}

export class ViewError extends DynerfError {
  static errorName = "ViewError";
}

/** Run a function (or await what it returns) and name the source in the message of a FormatError. */
export async function namingSource(name, action) {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof FormatError) || error.message.startsWith(name)) throw error;
    throw new error.constructor(`${name}: ${error.message}`, { cause: error });
  }
}
