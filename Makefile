# Everything runs in .venv, which any target sets up by itself. `make` lists the targets.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2
export RAY_AUTH_MODE ?= token
ifdef ASSAY_DATA
export ASSAY_DATA := $(abspath $(ASSAY_DATA))
endif

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## Set up .venv with the pinned packages

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Assay needs Python 3.11 or newer: make PYTHON=python3.11 …"; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

lint: setup  ## Format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup  ## Write the format that lint asks for
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: setup  ## The tests that take less than 10 minutes
	$(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist loadfile --no-loadscope-reorder

test-all: setup  ## All tests, the slow ones too
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

grid: setup  ## Nine cells on the mini set, with a report: no GPU, no server, no data to fetch
	$(BIN)/python jobs/benchmark_grid.py --suite sweeps/grid_mini.yaml --report report.html

bench: setup  ## Speed: data, metrics, networks (JSON lines)
	for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

report: setup  ## One HTML page from results/
	$(BIN)/assay report --out report.html

docs: setup  ## The documentation as a site, into site/; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:  ## Remove the environment and caches; runs/ and results/ stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache report.html site

.PHONY: help setup lint format test test-all grid bench report docs clean
