"""Checks the shapes in signatures of all packages but the format, in a sample of the calls.

jaxtyping and beartype check every call; tests that train then take more than twice as long. Here a function
is checked in the first, second, fourth, eighth, ... call of each test, and a function defined inside another
one in its first definitions only, because each definition compiles the check again. ``make test-long`` checks
all calls.
"""

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import jaxtyping

from support.thorough import THOROUGH

_PACKAGES = ("dynerf_decoder", "dynerf_encoder", "dynerf_player")
_DEFINITIONS = 2
_check_every_call = jaxtyping.jaxtyped
_calls: dict[Any, int] = {}
_definitions: Counter[tuple[str, str]] = Counter()


def install() -> None:
    """Check modules of the packages that are imported from now on."""
    if not THOROUGH:
        setattr(jaxtyping, "jaxtyped", _sampling)  # noqa: B010  # the decorator that the import hook applies
    jaxtyping.install_import_hook(_PACKAGES, "beartype.beartype")


def start_test() -> None:
    """Count calls from the beginning."""
    _calls.clear()


def _sampling(*, typechecker: Any) -> Callable[[Any], Any]:
    """Stands in for ``jaxtyping.jaxtyped``."""
    return functools.partial(sampled, _check_every_call(typechecker=typechecker))


def sampled(decorate: Callable[[Any], Any], decorated: Any) -> Any:
    """A class decorated, or a function of which some calls are those of the decorated function."""
    if isinstance(decorated, type):
        return decorate(decorated)
    if not decorated.__annotations__:  # nothing to check, and possibly a kernel to compile
        return decorated
    if "<locals>" in decorated.__qualname__:
        name = decorated.__module__, decorated.__qualname__
        _definitions[name] += 1
        if _definitions[name] > _DEFINITIONS:
            return decorated
    checked: Callable[..., Any] | None = None

    @functools.wraps(decorated)
    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal checked
        if jaxtyping.config.jaxtyping_disable:
            return decorated(*arguments, **named)
        number = _calls.get(decorated, 0) + 1
        _calls[decorated] = number
        if number & (number - 1):  # no power of two
            return decorated(*arguments, **named)
        if checked is None:  # only now, because most modules are imported by tests that call little of them
            checked = decorate(decorated)
        return checked(*arguments, **named)

    return call
