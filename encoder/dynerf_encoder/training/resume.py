"""The settings that a checkpoint's job and the job that resumes it must share.

These are the ones that influenced the numbers of the checkpoint, and no others. Until the rate term is active
(``rate_control.py``) its settings may change; without a rate term, rounding steps only matter when the file
is written. Quality layers are trained after the last checkpoint.
"""

from typing import Any


def resume_relevant_options(identity: dict[str, Any], position: object) -> dict[str, Any]:
    """An identity without the settings that had no effect up to ``position`` (0 to 1) in the schedule.

    An identity of another form, from a damaged checkpoint, is returned unchanged: it will not compare equal.
    """
    configuration = identity.get("configuration")
    if not isinstance(configuration, dict) or not isinstance(position, float):
        return identity
    rate, steps = configuration.get("rate"), configuration.get("quantisation")
    if not isinstance(rate, dict) or not isinstance(steps, dict):
        return identity
    relevant = {"layers": {}, **_relevant_sections(rate, steps, position)}
    return {**identity, "configuration": {**configuration, **relevant}}


def _relevant_sections(rate: dict[str, Any], steps: dict[str, Any], position: float) -> dict[str, Any]:
    """The sections ``rate`` and ``quantisation``, as far as they had an effect."""
    relevant_steps = {key: value for key, value in steps.items() if key not in ("group", "grid")}
    start = rate.get("start")
    if isinstance(start, float) and position <= start:
        return {"rate": {}, "quantisation": {}}
    if rate.get("weight") == 0 and rate.get("target") == 0:
        return {"quantisation": {}}
    if position >= 1:
        return {"rate": {**rate, "target": None}, "quantisation": {}}
    return {"quantisation": relevant_steps}
