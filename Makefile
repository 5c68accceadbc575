# Two commands for a new user: `make run` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
CONSTRAINTS := constraints.txt
PYTEST_ARGS ?=

.PHONY: help run test lint types format bench proof constraints clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(STAMP) ## make .venv, install, run the demo campaign, print its table
	$(BIN)/testbed run

test: $(DEV_STAMP) ## install what the tests need, and run them (no peers needed)
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile $(PYTEST_ARGS)

lint: $(DEV_STAMP) ## ruff: style and mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV_STAMP) ## mypy --strict over all packages
	$(BIN)/mypy

format: $(DEV_STAMP) ## let ruff format the tree
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV_STAMP) ## run every benchmark and print its table
	@for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

proof: $(DEV_STAMP) ## the long rows, each leaving docs/proof/NAME.json (make proof-NAME: one of them)
	$(BIN)/python tests/proof.py all --resume

proof-%: $(DEV_STAMP)
	$(BIN)/python tests/proof.py $*

constraints: $(DEV_STAMP) ## write down the versions that CI installs
	$(BIN)/python -m pip freeze --exclude-editable > $(CONSTRAINTS)

clean: ## remove what make made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "make: $(PYTHON) is missing or older than 3.11; install Python 3.11 or newer, or say which one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { echo "make: $(PYTHON) has no ensurepip, so it can't make a virtual environment; install the package python3-venv (Debian, Ubuntu: apt-get install python3-venv) and call make again"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --editable .
	@touch $@

$(DEV_STAMP): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS) --editable '.[dev]'
	@touch $(STAMP) $@
