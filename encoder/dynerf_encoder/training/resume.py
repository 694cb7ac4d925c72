"""Which settings a checkpoint's job and the one that resumes it must share.

All that had a part in the numbers of the checkpoint, and no more. Until bits count (``rate_control.py``), how
much they will count is open; without a rate term, rounding steps act only when the file is written.
"""

from typing import Any


def resume_relevant_options(identity: dict[str, Any], position: object) -> dict[str, Any]:
    """An identity without the settings that played no part up to ``position`` (0 to 1) in the schedule.

    One of another form, from a damaged checkpoint, is returned as it is: it will not compare equal.
    """
    configuration = identity.get("configuration")
    if not isinstance(configuration, dict) or not isinstance(position, float):
        return identity
    rate, steps = configuration.get("rate"), configuration.get("quantisation")
    if not isinstance(rate, dict) or not isinstance(steps, dict):
        return identity
    return {**identity, "configuration": {**configuration, **_decisive_sections(rate, steps, position)}}


def _decisive_sections(rate: dict[str, Any], steps: dict[str, Any], position: float) -> dict[str, Any]:
    """The sections ``rate`` and ``quantisation``, as far as they count."""
    counted = {key: value for key, value in steps.items() if key not in ("group", "grid")}
    start = rate.get("start")
    if isinstance(start, float) and position <= start:
        return {"rate": {}, "quantisation": {}}
    if rate.get("weight") == 0 and rate.get("target") == 0:
        return {"quantisation": {}}
    if position >= 1:
        return {"rate": {**rate, "target": None}, "quantisation": {}}
    return {"quantisation": counted}
