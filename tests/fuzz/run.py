"""``python tests/fuzz/run.py CORPUS_FOLDER [libFuzzer options]``, called by ``make fuzz``."""

import hashlib
import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped]

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "format")]

# Only modules instrumented at import report coverage to the fuzzer.
with atheris.instrument_imports(include=["dynerf_format"]):
    from fuzz.fuzz_format import one_input, seeds


def main() -> None:
    """Write the seeds into the corpus and fuzz."""
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    atheris.Setup(sys.argv, attack)
    atheris.Fuzz()


def attack(data: bytes) -> None:
    """Called by atheris, which treats a return value as a status; so there is none."""
    one_input(data)


if __name__ == "__main__":
    main()
