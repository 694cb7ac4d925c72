# Two commands do everything: `make demo` runs the main job, `make test` the tests. Both set up .venv first.

PYTHON ?= python3.11
OUT ?= out
BIN := .venv/bin
# Versions are pinned by constraints.txt; the pinned torch is the CPU build where the package index serves one.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check install install-dev clean

demo: install
	$(BIN)/python samples/demo.py $(OUT)

test: install-dev
	$(BIN)/python -m pytest

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

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
