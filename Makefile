# Two commands do everything: `make demo` runs the main job, `make test` the tests. Both set up .venv first.

# The newest Python that is here and can make an environment; PYTHON=... chooses another.
PYTHONS := python3.14 python3.13 python3.12 python3.11
USABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))
PYTHON ?= $(shell for python in $(PYTHONS); do $$python -c '$(USABLE)' >/dev/null 2>&1 && echo $$python && break; done)
NO_PYTHON = $(if $(PYTHON),$(PYTHON) cannot be used,found none of $(PYTHONS) that can be used): expected Python \
	3.11 to 3.14 with its venv module (Debian, Ubuntu: apt install python3-venv), or PYTHON=/path/of/one
OUT ?= out
BIN := .venv/bin
# Two processes test at once; the files' order is kept, because the longest tests are not in the last ones.
TESTS := -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
PYTEST := $(BIN)/python $(TESTS)
# Versions are pinned by constraints.txt; the pinned torch is the CPU build where the package index serves one.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-long check lowest fuzz install install-dev clean

demo: install
	$(BIN)/python samples/demo.py $(OUT)

# Tests and the processes that they start share compiled modules, also where the environment forbids to write them.
test test-long check lowest: export PYTHONDONTWRITEBYTECODE :=

test: install-dev
	$(PYTEST) -m "not extensive"

# Everything, also what takes long to try once more what quicker tests cover, and the shapes in every call.
test-long: install-dev
	THOROUGH=1 $(PYTEST)

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -m "not extensive"

# The tests with the lowest versions that pyproject.toml admits, on the oldest Python, in .venv-lowest.
LOWEST_PYTHON ?= python3.11
LOWEST := .venv-lowest/bin/python
LOWEST_PIP := $(LOWEST) -m pip install --quiet --disable-pip-version-check
lowest:
	$(LOWEST_PYTHON) -m venv --clear .venv-lowest
	$(LOWEST_PIP) packaging
	$(LOWEST) .ci/lowest.py pyproject.toml > .venv-lowest/constraints.txt
	$(LOWEST_PIP) --constraint .venv-lowest/constraints.txt hatchling editables
	$(LOWEST_PIP) --constraint .venv-lowest/constraints.txt --no-build-isolation --editable '.[dev]'
	$(LOWEST) $(TESTS) -m "not extensive"

# Generated inputs, for FUZZ_SECONDS; what is found is written to $(OUT)/fuzz-find-*.
FUZZ_SECONDS ?= 60
fuzz: install-dev
	mkdir -p $(OUT)
	$(BIN)/python tests/fuzz/run.py $(OUT)/fuzz-corpus -max_total_time=$(FUZZ_SECONDS) \
		-timeout=10 -rss_limit_mb=1024 -max_len=8192 -artifact_prefix=$(OUT)/fuzz-find-

install: .venv/installed
install-dev: .venv/installed-dev

.venv/bin/python:
	@$(if $(shell $(or $(PYTHON),false) -c '$(USABLE)' 2>/dev/null && echo yes),,$(error $(NO_PYTHON)))
	@said=$$($(PYTHON) -m venv --clear .venv 2>&1) || { rm -rf .venv; \
		echo "make: $(PYTHON) cannot make .venv: $$(echo "$$said" | tail -n 1)" >&2; exit 1; }

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) torch==2.13.0
	$(PIP) --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-lowest $(OUT)
