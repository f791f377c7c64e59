# Everything runs from .venv, whose versions and hashes are locked in .ci/requirements*.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help install demo run test lint bench bench-statistics chaos lock clean

help: ## Say what each target does.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 18

install: $(VENV)/.runtime ## Make .venv with the locked versions and the `landit` command.

demo: $(VENV)/.runtime ## Serve a demo: a real log, and three live experiments with simulated visitors.
	@exec $(BIN)/landit demo $(ARGS)

run: $(VENV)/.runtime ## Serve Landit, with its data in ./landit-data.
	@exec $(BIN)/landit serve $(ARGS)

test: $(VENV)/.development ## Run every test: real SQLite, PostgreSQL, server and browser.
	@.ci/chromium >/dev/null && exec $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.development ## Check style, security rules and types.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.development ## Measure the speed of serving, policies, offline evaluation and reports, beside their floors or peers.
	@$(BIN)/landit bench choose
	@$(BIN)/landit bench policy
	@$(BIN)/landit bench offline
	@$(BIN)/landit bench report

bench-statistics: $(VENV)/.development ## Simulate how often any interval of a page ever misses, under real policies (hours; resumes).
	@LANDIT_WHOLE_PATHS=20 $(BIN)/python -m pytest -q tests/validity/test_whole_path.py
	@$(BIN)/python -m tests.validity $(ARGS) validity.jsonl
	@$(BIN)/python -m tests.validity --table validity.jsonl

chaos: $(VENV)/.development ## Kill workers, keeper, supervisor and the whole group under load, ten times each.
	@$(BIN)/python -m tests.chaos $(ARGS)

lock: ## Renew the locked versions (needs uv).
	uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-header --no-annotate \
		pyproject.toml --group build --output-file .ci/requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --no-header --no-annotate \
		pyproject.toml --group build --group test --group lint --constraint .ci/requirements.txt --output-file .ci/requirements-dev.txt

clean: ## Remove what the other targets made, data excepted.
	rm -rf $(VENV) dist build *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || \
		{ echo "Landit needs Python 3.11 to 3.14, found $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Python cannot make a virtual environment here. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.runtime: .ci/requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked versions of .ci/requirements.txt into $(VENV) (about a minute) ..."
	@$(PIP) install --quiet --require-hashes --only-binary :all: --requirement .ci/requirements.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m experiments.warm
	@touch $@

$(VENV)/.development: .ci/requirements-dev.txt $(VENV)/.runtime
	@echo "Installing the test tools of .ci/requirements-dev.txt ..."
	@$(PIP) install --quiet --require-hashes --only-binary :all: --requirement .ci/requirements-dev.txt
	@touch $@
