# Two commands matter: `make demo` and `make test`. Each sets up what it needs in .venv.
# Needed on the machine: Python 3.11 or newer, make, and access to the package registries.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest
# A cache of our own: stevedore's shared one compares file times too coarsely for a fresh install.
export XDG_CACHE_HOME ?= $(CURDIR)/.cache
# Without compiled files every process that a test starts compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-system test-long lint types docs format clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

demo: $(VENV)/.demo  ## compare real photographs on this machine; writes demo/report.html
	@$(BIN)/facematch demo --photographs docs/photographs --out demo/report.html

test: $(VENV)/.dev  ## the test suite (no system package needed)
	@$(PYTEST) -n 2 --dist worksteal -m "not long and not system and not live"

test-system: $(VENV)/.dev  ## what needs chromium, node, PostgreSQL, zsh, fish or another Python; installs them with apt
	@tests/system/packages.sh
	@$(PYTEST) -m system tests/system

test-long: $(VENV)/.dev  ## what takes many minutes
	@HYPOTHESIS_PROFILE=long $(PYTEST) -n 2 --dist worksteal -m "not system and not live"

lint: $(VENV)/.dev  ## ruff: rules and format; import-linter: the layers of the core
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter

types: $(VENV)/.dev  ## mypy, strict
	@$(BIN)/mypy

docs: $(VENV)/.dev  ## the documentation as a site in site/, without warnings
	@$(BIN)/mkdocs build --strict --quiet && echo "site/index.html is written"

format: $(VENV)/.dev  ## put the code into ruff's form
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

clean:  ## remove everything that make made
	rm -rf $(VENV) demo site dist .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or set PYTHON=/path/to/it" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --upgrade "pip>=25.1"

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@test -f $(VENV)/.dev || echo "Downloading the local engine into $(VENV): about 180 MB, 100 MB of it dlib's models. Nothing else is downloaded."
	@$(PIP) --editable ".[local]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Setting up $(VENV): the package with every extra, and the tools of the test suite (about 400 MB to download)."
	@$(PIP) --editable ".[all]" --group dev
	@touch $@ $(VENV)/.demo
