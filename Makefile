# Throughline: `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ROOMS  := connectors pipelines schemas services
STAMP  := $(VENV)/.installed
# Where it is set, as in many images, each process compiles all that it imports anew: more than half of its start.
unexport PYTHONDONTWRITEBYTECODE
LOCK   := uv pip compile pyproject.toml --universal -p 3.11 --generate-hashes \
          --no-emit-index-url --no-header --no-annotate --quiet

.PHONY: help install lock test check format demo parts bench bench-full train accuracy soak clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

install: $(STAMP) ## Install everything into .venv (quick when nothing changed)

# uv is the fast way; where it cannot be had, pip installs the very same locked files. What has no pip yet was begun and
# not finished, as where Debian's python3-venv was missing: it is completed.
$(STAMP): requirements-dev.txt pyproject.toml
	@echo "installing into $(VENV) ..."
	@test -x $(BIN)/pip || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "this needs Python 3.11 or newer, and $(PYTHON) is older or not there; name one, as in: make demo PYTHON=python3.11" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@if $(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet uv; then \
	  $(BIN)/python -m uv pip sync --quiet --python $(BIN)/python requirements-dev.txt && \
	  $(BIN)/python -m uv pip install --quiet --python $(BIN)/python --no-deps -e .; \
	else \
	  $(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt && \
	  $(BIN)/python -m pip install --quiet --no-deps -e .; \
	fi
	@touch $@

lock: ## Resolve the dependencies anew into requirements*.txt (addresses of registries stay out)
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m $(LOCK) --group dev -o requirements-dev.txt
	$(BIN)/python -m $(LOCK) -c requirements-dev.txt -o requirements.txt

test: install ## Run the tests
	$(BIN)/python -m pytest

check: install ## Lint, format, types, import rules, sizes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.sizes

format: install ## Mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: install ## Start a hub and a sandbox company on this machine, all of it in .demo
	@THROUGHLINE_DATA_DIR=.demo THROUGHLINE_LOG_LEVEL=warning THROUGHLINE_LOG_FORMAT=text \
	  $(BIN)/throughline up --sandbox

parts: ## Fetch a real Kafka broker and identity provider for the tests (needs Java 17 and Maven)
	@$(PYTHON) -m tests.parts.fetch

bench: install ## Measure, and write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

bench-full: install ## Measure with a million stored requests
	$(BIN)/python -m benchmarks --full

accuracy: install ## Measure how often correlation is right, on generated companies
	$(BIN)/python -m benchmarks.accuracy

train: install ## Fit the weights of suggestions on generated companies (ARGS=--apply writes them)
	$(BIN)/python -m benchmarks.accuracy.train $(ARGS)

soak: install ## Kill things for a long time and compare
	$(BIN)/python -m pytest -m soak --timeout 7200

clean: ## Remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis .make build dist
	find . -name .git -prune -o -type d '(' -name __pycache__ -o -name '*.egg-info' ')' -prune -exec rm -rf {} +
