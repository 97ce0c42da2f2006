# Start with `make demo` or `make test`. Each target first installs its dependencies into .venv, with uv, which is also
# installed there. You need Python 3.11 or newer, make, and access to the package registries.

# The first Python for which all wheels exist; else any that is new enough.
PYTHON ?= $(shell for below in 16 99; do for p in python3 python3.13 python3.12 python3.11 python3.14 python3.15; do \
	"$$p" -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, $$below))" 2>/dev/null \
	&& echo "$$p" && break 2; done; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python requirements/install.py
PINNED := --no-deps --require-hashes --requirement
PYTEST := $(BIN)/python -m pytest
# For tests that take many minutes; tests/kit/limits.py ends the other ones after twenty.
PATIENT := --override-ini test_limit_s=2400
# Print failures in full, but only the number of skipped tests.
BRIEF := -q -r fE
# One more takes a fifth more of the processor and, on two cores, as long.
WORKERS ?= $(shell "$(PYTHON)" -c 'import os; print(min(8, os.cpu_count() or 1))')
IN_PARALLEL = -n $(WORKERS) --dist worksteal
ORDINARY := not slow and not long and not system and not docs
# Ignored folders are not even imported.
IGNORED := --ignore=tests/system --ignore=tests/examples
# The vendors' web SDKs, unmodified from npm.
WEB := tests/system/test_web_sdks.py
QUICK := -m "$(ORDINARY)" $(IGNORED)
# Tests that keep a text in a file or in a page; test_examples.py is run in parallel, because each page is a test.
GOLDENS = $(filter-out tests/docs/test_examples.py,$(shell grep -lErs "kit\.goldens|kit\.pages|kit\.stored_versions|\bscreens\b" --include="test_*.py" tests))
# What versions of dependencies break first: the verifier, its policies and its transport, the parsing of every
# vendor's responses, charges, and the command line. None of it needs the sources.
CORE := $(addprefix tests/core/,backend base call call_log config errors http models resilience verifier) \
	tests/core/store/test_awaited_use.py tests/core/store/test_stores.py \
	tests/backends/test_answers.py tests/backends/test_errors.py tests/backends/didit/test_results.py \
	tests/backends/deepvue/test_verdicts.py tests/backends/deepvue/test_wire.py \
	tests/simulation/test_lives.py tests/core/cli/test_verify.py \
	tests/core/cli/test_pairs.py tests/money/test_pairs.py tests/comparison/run/test_database.py
# What the vendors' own clients make of the mock.
CLIENTS := $(addprefix tests/mock_server/vendors/,alibaba/test_alibabas_client.py azure/test_preview.py baidu/test_sdk.py \
	compreface/test_recognition.py rekognition/test_boto3.py tencent/test_tencents_client.py)
# The versions that `make test-pythons` looks for.
PYTHONS ?= 3.11 3.12 3.13 3.14 3.15
# Answers of the mock to everything that tests send, and requests of the backends.
JUDGED := tests/mock_server/vendors tests/mock_server/claims tests/backends tests/core/sessions
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--constraints requirements/constraints.txt \
	--custom-compile-command "make lock" $(UPGRADE)
CHECK := $(BIN)/check-jsonschema --quiet --builtin-schema
# Without bytecode files, every process that a test starts would compile everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-of goldens test-slow test-all test-core test-pythons schemas test-system test-web test-slips test-lowest test-newest compare-deepface test-wheel test-long coverage lint types docs dist rehearse lock format clean

# The other targets, without ##, are CI's.
help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

demo: $(VENV)/.demo  ## compare real photographs on this machine; writes demo/report.html
	@# A separate cache, because stevedore's shared one compares file times too coarsely for a fresh install.
	@XDG_CACHE_HOME="$(CURDIR)/.cache" $(BIN)/facematch demo --photographs docs/photographs --out demo/report.html

test: $(VENV)/.dev  ## the test suite: some four minutes on two cores (no system package needed)
	@$(PYTEST) $(IN_PARALLEL) $(BRIEF) $(QUICK)

# FILES: some files; without them, what differs from the last commit.
test-of: $(VENV)/.dev  ## the tests about FILES="...", or about what you changed: seconds
	@mkdir -p .cache
	@$(BIN)/python tests/kit/tests_of.py $(FILES) > .cache/tests-of.txt
	@$(PYTEST) $(IN_PARALLEL) $(BRIEF) -m "not slow and not long and not system" @.cache/tests-of.txt

goldens: $(VENV)/.dev  ## write what a change made different: the golden files of tests, tables and output in the pages
	@UPDATE=1 UPDATE_DOCS=1 $(PYTEST) $(BRIEF) -m "not slow and not long and not system" $(GOLDENS)
	@UPDATE_DOCS=1 $(PYTEST) $(IN_PARALLEL) $(BRIEF) -m "docs and not long" tests/docs/test_examples.py
	@git status --short

test-slow: $(VENV)/.dev  # tests that take seconds each, which `make test` omits
	@$(PYTEST) $(IN_PARALLEL) $(BRIEF) -m "slow and not long and not system and not docs"

test-all: lint types test test-pythons test-slow test-system docs  ## most of what CI runs for a change

# Whole lives take a sixth of the time, and are the same for each Python.
test-core: $(VENV)/.dev  # all tests collected; those of calls, charges, paid runs and the vendors' clients run
	@$(PYTEST) --collect-only -qq tests >$(VENV)/collected.txt 2>&1 || { tail -n 40 $(VENV)/collected.txt; exit 1; }
	@$(PYTEST) $(IN_PARALLEL) $(BRIEF) $(QUICK) $(filter-out tests/simulation/test_lives.py,$(CORE)) $(CLIENTS)

# An environment for each, from the same pins. pyenv's versions are found, too.
test-pythons: $(VENV)/.dev  ## the core on each other Python from 3.11 to 3.15 that is here: two minutes each
	@for version in $(PYTHONS); do \
		if $(BIN)/python -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$$version')"; then \
			echo "Python $$version: make test runs all tests"; continue; fi; \
		found=; for python in "python$$version" "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$$version.*/bin/python; do \
			if "$$python" -c "" 2>/dev/null; then found=$$python; break; fi; done; \
		if test -z "$$found"; then echo "Python $$version: not tried, it is not here"; continue; fi; \
		echo "Python $$version: $$found"; \
		$(MAKE) --no-print-directory VENV=$(VENV)-$$version PYTHON="$$found" test-core || exit 1; done

# The definitions in the vendors' clients judge in `make test`, too; kit.definitions.fetch needs a network.
schemas: $(VENV)/.dev  ## the mock's answers and our requests, judged by the vendors' own OpenAPI documents
	@status=0; PYTHONPATH=tests $(BIN)/python -m kit.definitions.fetch .cache/definitions || status=1; \
	FACEMATCH_DEFINITIONS=.cache/definitions $(PYTEST) $(IN_PARALLEL) $(BRIEF) $(QUICK) $(JUDGED) || status=1; exit $$status

test-system: $(VENV)/.dev  # tests that need chromium, node, PostgreSQL or strace; installs them with apt
	@tests/system/packages.sh
	@# The tests of a file share a browser, or a fresh environment.
	@$(PYTEST) $(IN_PARALLEL) --dist loadfile $(BRIEF) $(PATIENT) -m system --ignore=$(WEB) tests/system

test-web: $(VENV)/.dev  # the vendors' own web SDKs in a browser: weekly, and before a release; needs npm's registry
	@tests/system/packages.sh
	@$(PYTEST) $(BRIEF) $(PATIENT) -m system $(WEB)

# SLIPS and SEED: how many, and which.
test-slips: $(VENV)/.dev  # changes one place of the packages at a time, and lists the tests that fail: hours, weekly
	@PYTHONPATH=tests $(BIN)/python tests/kit/slips.py --count $(or $(SLIPS),30) $(if $(SEED),--seed $(SEED))

test-lowest: $(VENV)/.uv  # the core, with the lowest versions that pyproject.toml allows
	@$(BIN)/python -m venv $(VENV)-lowest
	@$(INSTALL) $(VENV)-lowest/bin/python --resolution lowest-direct --editable ".[all]" --group tests
	@$(VENV)-lowest/bin/python -m pytest $(IN_PARALLEL) $(BRIEF) $(QUICK) $(CORE)

# Without the pre-release of httpx, which the plug-in of pook cannot import.
test-newest: $(VENV)/.uv  # the core, with the newest versions, including pre-releases
	@$(BIN)/python -m venv $(VENV)-newest
	@$(INSTALL) $(VENV)-newest/bin/python --upgrade --pre --editable ".[all]" --group tests "httpx<1"
	@$(VENV)-newest/bin/python -m pytest $(IN_PARALLEL) $(BRIEF) $(QUICK) $(CORE)

# Its server is installed once, in .cache/deepface. ADD=--add adds a row to docs/vendors/compared.toml.
compare-deepface: $(VENV)/.dev  # DeepFace's real server, from PyPI (460 MB), beside its mock: weekly
	@rm -rf .cache/compared-deepface
	@$(BIN)/python .github/scripts/deepface/compare.py .cache/compared-deepface $(ADD)

test-wheel: dist  # the core, against the wheel, in a folder without the sources
	@$(BIN)/python -m venv --clear $(VENV)-wheel
	@$(INSTALL) $(VENV)-wheel/bin/python $(PINNED) requirements/dev.txt
	@$(INSTALL) $(VENV)-wheel/bin/python --no-deps dist/*.whl
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cp -R tests docs pyproject.toml README.md "$$folder" \
		&& cd "$$folder" && "$(CURDIR)/$(VENV)-wheel/bin/python" -m pytest $(IN_PARALLEL) $(BRIEF) $(QUICK) \
		$(CORE)

test-long: $(VENV)/.dev  # all tests without system packages, including those that take many minutes
	@HYPOTHESIS_PROFILE=long $(PYTEST) $(PATIENT) $(IN_PARALLEL) $(BRIEF) -m "not system"

coverage: $(VENV)/.dev  # line and branch coverage of `make test`, also of changes since BASE; HTML in .cache/coverage
	@rm -rf .cache/coverage && mkdir -p .cache/coverage
	@$(BIN)/coverage run -m pytest $(IN_PARALLEL) $(BRIEF) $(QUICK)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage html --quiet --directory .cache/coverage/html
	@$(BIN)/coverage xml --quiet -o .cache/coverage/coverage.xml
	@$(if $(BASE),$(BIN)/diff-cover .cache/coverage/coverage.xml --quiet --compare-branch $(BASE) --format markdown:.cache/coverage/changed.md)
	@$(BIN)/coverage report --format=total

lint: $(VENV)/.dev  ## ruff: rules and format; stated contracts; import-linter: the layers; spelling; workflows, Dockerfiles
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check --quiet --preview --select PLW1514 facematch_core backends comparison mock_server
	@$(BIN)/python tests/kit/stated.py facematch_core backends comparison mock_server
	@$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter
	@git ls-files -z | xargs -0 $(BIN)/codespell
	@$(CHECK) github-workflows .github/workflows/*.yml
	@$(CHECK) github-actions .github/actions/*/action.yml
	@$(CHECK) dependabot .github/dependabot.yml
	@$(CHECK) github-issue-forms .github/ISSUE_TEMPLATE/[1-9]*.yml
	@$(CHECK) compose-spec docs/examples/compose/compose.yaml docs/examples/compose/*/compose.yaml
	@$(CHECK) citation-file-format CITATION.cff
	@$(BIN)/zizmor --offline --quiet .github
	@$(BIN)/hadolint Dockerfile docs/examples/compose/app.Dockerfile

types: $(VENV)/.dev  ## mypy, strict, for this system and for Windows
	@$(BIN)/mypy
	@$(BIN)/mypy --platform win32

docs: $(VENV)/.dev  ## run every example in the documentation, then build it into site/, without warnings
	@$(PYTEST) $(IN_PARALLEL) $(BRIEF) -m "docs and not long" tests/docs tests/examples
	@$(BIN)/mkdocs build --strict --quiet && echo "Open file://$(CURDIR)/site/index.html"

dist: $(VENV)/.uv  # build and check the sdists and the wheels of a release in dist/
	@$(BIN)/python -m venv $(VENV)-dist
	@$(INSTALL) $(VENV)-dist/bin/python $(PINNED) requirements/publish.txt
	@rm -rf dist
	@$(VENV)-dist/bin/python -m build --no-isolation --outdir dist . >/dev/null
	@$(VENV)-dist/bin/python -m build --no-isolation --outdir dist backends/facematch_local >/dev/null
	@$(VENV)-dist/bin/twine check --strict dist/*

# STEPS: some of notes, words (which then writes the lines that it lists), metadata, image and extras.
rehearse: dist  # a release, all but the accounts: each extra on each Python that is here, the image's steps
	@PYTHONPATH=tests $(BIN)/python tests/kit/rehearsal.py $(STEPS)

lock: $(VENV)/.uv  ## rewrite requirements/, pinned with hashes (UPGRADE=--upgrade for new versions)
	@$(LOCK) pyproject.toml --extra local --extra mock --group editable --output-file requirements/demo.txt
	@$(LOCK) pyproject.toml --all-extras --group dev --output-file requirements/dev.txt
	@$(LOCK) pyproject.toml --extra door --output-file requirements/mock.txt
	@$(LOCK) pyproject.toml --extra testing --group app --group editable --output-file requirements/app.txt
	@$(LOCK) --group publish --output-file requirements/publish.txt
	@$(LOCK) --group uv --output-file requirements/uv.txt

format: $(VENV)/.dev  ## format the code with ruff
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

clean:  ## remove everything that make created
	rm -rf $(VENV) $(VENV)-* demo site dist .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or set PYTHON=/path/to/it" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.uv: requirements/uv.txt | $(VENV)/bin/python
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes --only-binary :all: --requirement requirements/uv.txt || \
		 echo "There is no uv for this machine: pip installs all else, which takes longer."
	@touch $@

$(VENV)/.demo: pyproject.toml requirements/demo.txt | $(VENV)/.uv
	@test -f $(VENV)/.dev || echo "Downloading uv, the local engine and the mock into $(VENV): about 100 MB. Nothing else is downloaded. It takes half a minute to two minutes; a second time seconds."
	@$(INSTALL) $(BIN)/python $(PINNED) requirements/demo.txt
	@$(INSTALL) $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml requirements/dev.txt | $(VENV)/.uv
	@echo "Setting up $(VENV): the package with every extra, and the tools of the test suite (about 400 MB to download, the first time on a machine)."
	@$(INSTALL) $(BIN)/python $(PINNED) requirements/dev.txt
	@$(INSTALL) $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.demo
