"""Functions compiled by numba at their first call, and the folder in which the machine code is kept.

numba recompiles a function when the file that defines it changes. Constants and functions of other files are
compiled into it all the same, so here the folder's name holds a digest of every source that takes part, of
numba's version and of the processor: code of other sources is never found. The folders lie in the user's
cache; ``NUMBA_CACHE_DIR``, where it is set, names another place.

Keeping code is never worth an error: where nothing can be written, one warning says so and each process
compiles for itself. numba stores code as pickles, trusted as far as the user's own cache folder is.
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
_KEPT = 8  # folders per package: several installations and versions of the sources, the last used ones
_config: Any = numba.config
_settings_lock = threading.Lock()  # numba's settings are the process's
_warned = threading.Event()


def compiled(function: Callable[..., Any], *, package: str, sources: Iterable[Path], **options: Any) -> Any:
    """``function`` compiled by ``numba.njit(**options)``, its code kept in the user's cache folder.

    ``sources`` are all files, or folders of files, that anything compiled into the function comes from. A
    cache entry that is damaged, or was made for other argument types, is discarded and made again.
    """
    if _config.DISABLE_JIT:
        return numba.njit(**options)(function)
    folder = _folder(package, tuple(sources))
    if folder is None:
        return numba.njit(**options)(function)
    try:
        with _settings_lock, _caching_in(folder):
            dispatcher: Any = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # what numba raises for a folder that it cannot write to
        _warn(f"the folder {folder} cannot be written to")
        return numba.njit(**options)(function)
    # numba calls this method, also for a function that is called by another compiled one.
    dispatcher.compile = functools.partial(_compile, dispatcher, dispatcher.compile, folder)
    return dispatcher


def _compile(dispatcher: Any, compile_as_numba: Callable[[Any], Any], folder: Path, signature: Any) -> Any:
    """Compile or load the code for a signature, whatever the state of the cache and of its disk."""
    types = tuple(getattr(signature, "args", signature))
    try:
        code = compile_as_numba(signature)
        if types in dispatcher.overloads:
            return code
        # Two processes that store code of two signatures at once may exchange them: numba holds no lock.
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
    """The folder for code of these sources; None, after a warning, where there is no place for one."""
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
    """Of everything that decides what the machine code is."""
    files = [Path(__file__)]
    for source in sources:
        files += sorted(source.glob("*.py")) if source.is_dir() else [source]
    processor = llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features().flatten()
    digest = hashlib.sha256(repr((numba.__version__, *processor)).encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:24]


def _prune(used: Path) -> None:
    """Note that a folder is used; remove those of the same package that were not used for longest."""
    with contextlib.suppress(OSError):
        used.mkdir(parents=True, exist_ok=True)
        os.utime(used)
        package = used.name.rpartition("-")[0]
        siblings = [path for path in used.parent.iterdir() if path.name.rpartition("-")[0] == package]
        for old in sorted(siblings, key=_used_last, reverse=True)[_KEPT:]:
            shutil.rmtree(old, ignore_errors=True)


def _used_last(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # another process removed it
        return 0


@contextlib.contextmanager
def _caching_in(folder: Path) -> Iterator[None]:
    """Functions decorated in this block keep their code there, those of other libraries where they do now."""
    before = _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES
    # Without the second, numba would take a folder beside the sources where it cannot use this one.
    _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES = str(folder), "UserProvidedCacheLocator"
    try:
        yield
    finally:
        _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES = before


def _warn(reason: str) -> None:
    """One line per process, whatever else goes wrong later."""
    if not _warned.is_set():
        _warned.set()
        _LOG.warning("compiled code cannot be kept, every run compiles it again: %s", reason)
