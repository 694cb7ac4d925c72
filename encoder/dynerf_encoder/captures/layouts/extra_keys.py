"""Values that layouts in JSON do not define, under the keys by which ``dynerf convert`` writes them.

Programs that read these layouts ignore keys that they do not know.
"""

from fractions import Fraction

from dynerf_encoder.captures.json_input import JsonRecord

from .capture_json import parse_offset, parse_rate


def depths_of(record: JsonRecord) -> tuple[float | None, float | None]:
    """``near`` and ``far``, if both are stated."""
    if not (record.has("near") and record.has("far")):
        return None, None
    return record.number("near"), record.number("far")


def offset_of(record: JsonRecord) -> Fraction | None:
    """``offset`` in frames, 0 unless it is stated."""
    return parse_offset(record)


def rate_of(record: JsonRecord) -> Fraction | None:
    """``fps``, if it is stated."""
    return parse_rate(record, "fps")
