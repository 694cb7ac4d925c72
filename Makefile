# Two commands do everything: `make demo` runs the main job, `make test` the tests. Both set up .venv first.

PYTHON ?= python3.11
OUT ?= out
BIN := .venv/bin
# Two processes test at once; the files' order is kept, because the longest tests are not in the last ones.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
# Versions are pinned by constraints.txt; the pinned torch is the CPU build where the package index serves one.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check fuzz install install-dev clean

demo: install
	$(BIN)/python samples/demo.py $(OUT)

test: install-dev
	$(PYTEST)

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST)

# Inputs that nobody thought of, for FUZZ_SECONDS; what is found is written to $(OUT)/fuzz-find-*.
FUZZ_SECONDS ?= 60
fuzz: install-dev
	mkdir -p $(OUT)
	$(BIN)/python tests/fuzz/run.py $(OUT)/fuzz-corpus -max_total_time=$(FUZZ_SECONDS) \
		-timeout=10 -rss_limit_mb=1024 -max_len=8192 -artifact_prefix=$(OUT)/fuzz-find-

install: .venv/installed
install-dev: .venv/installed-dev

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) torch==2.13.0
	$(PIP) --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv $(OUT)
