"""Functions compiled by numba at their first call, and the cache folder of their machine code.

numba recompiles a function when the file that defines it changes, but constants and functions of other files
are compiled into it as well. Here the folder's name holds a digest of every source that takes part, of
numba's version and of the processor, so that code of other sources is never used. The folders are in the
user's cache folder, or in ``NUMBA_CACHE_DIR`` where it is set.

A cache that cannot be written is not an error: one warning is logged and each process compiles for itself.
numba stores code as pickles, which are trusted as much as the user's own cache folder.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llvmlite.binding
import numba
from numba.core.errors import NumbaError

from .user_cache import user_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_LOG = logging.getLogger(__name__)
_FOLDERS_KEPT = 8  # most recently used folders per package: several installations and versions of the sources
_config: Any = numba.config
_without_constant: Callable[[Any], Any] = numba.types.unliteral
_settings_lock = threading.Lock()  # numba's settings are global to the process
_warned = threading.Event()


def compiled(function: Callable[..., Any], *, package: str, sources: Iterable[Path], **options: Any) -> Any:
    """``function`` compiled by ``numba.njit(**options)``, its code kept in the user's cache folder.

    ``sources`` are all files, or folders of files, of which code or constants are compiled into the function.
    A cache entry that is damaged, or was made for other argument types, is discarded and rebuilt.
    """
    if _config.DISABLE_JIT:
        return numba.njit(**options)(function)
    folder = _folder(package, tuple(sources))
    if folder is None:
        return numba.njit(**options)(function)
    try:
        with _settings_lock, _caching_in(folder):
            dispatcher: Any = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # raised by numba for a folder that cannot be written to
        _warn(f"the folder {folder} cannot be written to")
        return numba.njit(**options)(function)
    # numba calls this method also for functions that are called by other compiled functions.
    dispatcher.compile = functools.partial(_compile, dispatcher, dispatcher.compile, folder)
    dispatcher.get_call_template = functools.partial(_call_template, dispatcher.get_call_template)
    return dispatcher


def _call_template(
    template_as_numba: Callable[..., Any], arguments: Iterable[Any], named: dict[str, Any]
) -> Any:
    """How another compiled function calls this one: constants count as their types.

    numba would compile a function anew for each constant that is passed to it, which took a quarter of the
    time of all compiling. Constants are inserted all the same where the function is inlined.
    """
    plain = tuple(_without_constant(each) for each in arguments)
    return template_as_numba(plain, {name: _without_constant(each) for name, each in named.items()})


def _compile(dispatcher: Any, compile_as_numba: Callable[[Any], Any], folder: Path, signature: Any) -> Any:
    """Compile or load the code for a signature, whatever the state of the cache and its disk."""
    types = tuple(getattr(signature, "args", signature))
    try:
        code = compile_as_numba(signature)
        if types in dispatcher.overloads:
            return code
        # Two processes that store two signatures at the same time may exchange them: numba holds no lock.
    except NumbaError:
        raise
    except Exception as error:
        if types in dispatcher.overloads:  # compiled, but not stored
            _warn(f"{folder}: {getattr(error, 'strerror', None) or error}")
            return compile_as_numba(signature)
    shutil.rmtree(folder, ignore_errors=True)
    return compile_as_numba(signature)


@functools.cache
def _folder(package: str, sources: tuple[Path, ...]) -> Path | None:
    """The folder for code of these sources; None, after a warning, when there is no cache folder."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    top = Path(named).absolute() / "dynerf" if named else user_cache()
    if top is None:
        _warn("this user has no home directory")
        return None
    try:
        name = f"{package}-{_digest(sources)}"
    except OSError as error:
        _warn(f"{error.filename}: {error.strerror}")
        return None
    folder = top / "compiled" / name
    _prune(folder)
    return folder


def _digest(sources: Iterable[Path]) -> str:
    """A digest of everything that determines the machine code."""
    files = [Path(__file__)]
    for source in sources:
        files += sorted(source.glob("*.py")) if source.is_dir() else [source]
    processor = llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features().flatten()
    digest = hashlib.sha256(repr((numba.__version__, *processor)).encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:24]


def _prune(used: Path) -> None:
    """Mark a folder as used; remove the least recently used ones of the same package."""
    with contextlib.suppress(OSError):
        used.mkdir(parents=True, exist_ok=True)
        os.utime(used)
        package = used.name.rpartition("-")[0]
        siblings = [path for path in used.parent.iterdir() if path.name.rpartition("-")[0] == package]
        for old in sorted(siblings, key=_used_last, reverse=True)[_FOLDERS_KEPT:]:
            shutil.rmtree(old, ignore_errors=True)


def _used_last(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # another process removed it
        return 0


@contextlib.contextmanager
def _caching_in(folder: Path) -> Iterator[None]:
    """Within this block, numba caches the functions it decorates in ``folder``."""
    before = _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES
    # Without the second setting, numba would fall back to a folder beside the sources.
    _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES = str(folder), "UserProvidedCacheLocator"
    try:
        yield
    finally:
        _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES = before


def _warn(reason: str) -> None:
    """Log at most one warning per process."""
    if not _warned.is_set():
        _warned.set()
        _LOG.warning("compiled code cannot be kept, every run compiles it again: %s", reason)
