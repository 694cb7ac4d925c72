"""Stored bytes <-> decoded bytes of one chunk: raw or one Zstandard frame.

A frame must state its content size, and that size must equal the length that the (already checked) directory
declares; only then is it decoded. The library ignores its own ``max_output_size`` for such frames, so that
argument offers no protection.
"""

import zstandard

from dynerf_format.errors import FormatError

RAW = 0
ZSTD = 1
CODECS = (RAW, ZSTD)

_LEVEL = 19
_FRAME_MAGIC = b"\x28\xb5\x2f\xfd"
_WINDOW_MAX = 1 << 23  # what level 19 uses; a decoder needs no more memory than this besides the result


def compress(payload: bytes) -> tuple[int, bytes]:
    """Return (codec, stored bytes) for the smaller codec; the same input gives the same bytes.

    (With one version of libzstd: another version may produce another, equally valid, frame.)
    """
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
    frame = compressor.compress(payload)
    return (ZSTD, frame) if len(frame) < len(payload) else (RAW, payload)


def decompress(codec: int, stored: bytes, decoded_length: int) -> bytes:
    """Return exactly ``decoded_length`` bytes; the caller has compared that length with its limits.

    FormatError when the stored bytes do not decode to that many bytes.
    """
    if codec == RAW:
        if len(stored) != decoded_length:
            raise FormatError(f"raw: {len(stored)} bytes stored, {decoded_length} declared")
        return stored
    if codec == ZSTD:
        return _decompress_frame(stored, decoded_length)
    raise FormatError(f"codec {codec} is unknown, expected one of {CODECS}")


def frame_length(frame: bytes) -> int:
    """The content size that a frame states; nothing is decoded. FormatError when it states none."""
    try:
        length = zstandard.get_frame_parameters(frame).content_size
    except zstandard.ZstdError as error:
        raise FormatError(f"zstd: {error}") from error
    if length == zstandard.CONTENTSIZE_UNKNOWN:
        raise FormatError("zstd: a frame that does not state its content size")
    return int(length)


def _decompress_frame(frame: bytes, decoded_length: int) -> bytes:
    if not frame.startswith(_FRAME_MAGIC):
        raise FormatError("zstd: does not start with a frame")
    try:
        parameters = zstandard.get_frame_parameters(frame)
        if parameters.content_size != decoded_length:
            raise FormatError(f"zstd: frame of {parameters.content_size} bytes, {decoded_length} declared")
        if parameters.window_size > _WINDOW_MAX:
            raise FormatError(
                f"zstd: window of {parameters.window_size} bytes, at most {_WINDOW_MAX} allowed"
            )
        if parameters.dict_id:
            raise FormatError(f"zstd: needs dictionary {parameters.dict_id}, dictionaries are not allowed")
        payload = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError(f"zstd: {error}") from error
    if len(payload) != decoded_length:
        raise FormatError(f"zstd: {len(payload)} bytes decoded, {decoded_length} declared")
    return payload
