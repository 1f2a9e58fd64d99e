# Every target sets up all it needs: a fresh Linux machine with Python >= 3.11, make and PyPI will do.
# Arguments go through ARGS: make test ARGS='-k money -x', make run ARGS='--port 9000', make lock ARGS=--upgrade

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOOLS := .tools
LUA_EXPANDED := build/lua
PIP_FLAGS := --quiet --no-input --disable-pip-version-check

# The first of these that is new enough, or PYTHON=... from the command line.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
define choose_python
python=; for p in $(PYTHON); do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$p; break; fi; \
done; \
[ -n "$$python" ] || { echo "make: Python 3.11 or newer is needed (tried: $(PYTHON)); pass PYTHON=/path/to/python" >&2; exit 1; }
endef

# luacheck is not on PyPI: one on PATH, else the one that .ci/luacheck-install unpacked.
define choose_luacheck
luacheck=$$(command -v luacheck || command -v $(VENV)/luacheck/bin/luacheck) || { \
	echo "make: luacheck is missing: run .ci/luacheck-install (Debian, Ubuntu; needs no root) or put luacheck >= 1.0 on PATH" >&2; \
	exit 1; }
endef

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(STAMP) ## Start a complete demo wallet: Redis-compatible server, ledger, webhooks, admin
	@exec $(BIN)/wallet up --demo $(ARGS)

.PHONY: test
test: $(STAMP) ## Run the tests but the long ones, on all cores
	$(BIN)/pytest -n auto -m 'not long' $(ARGS)

.PHONY: test-long
test-long: $(STAMP) ## Run the long tests, on all cores
	$(BIN)/pytest -n auto -m long $(ARGS)

.PHONY: test-postgres
test-postgres: $(STAMP) ## Run on PostgreSQL what runs on SQLite otherwise, and the tests of that store
	TEST_LEDGER=postgres $(BIN)/pytest -n auto -m 'not long' $(ARGS) tests/store tests/integration tests/model \
	  tests/acceptance/test_crash.py tests/conformance/test_service.py

SOAK_S := 300
.PHONY: soak
soak: $(STAMP) ## Random histories against the model, SOAK_S seconds a test (make soak SOAK_S=3600)
	TEST_SOAK_S=$(SOAK_S) $(BIN)/pytest -n 0 -m 'not long' $(ARGS) tests/model tests/hostile

.PHONY: check
check: $(STAMP) ## Lint, formatting, types, import layers, Lua scripts
	@$(choose_luacheck)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	rm -rf $(LUA_EXPANDED)
	$(BIN)/python -m seamless_wallet.engine.expand_scripts $(LUA_EXPANDED)
	@$(choose_luacheck); echo "$$luacheck $(LUA_EXPANDED)"; "$$luacheck" --quiet $(LUA_EXPANDED)

.PHONY: format
format: $(STAMP) ## Format the code and fix what ruff can fix safely
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

.PHONY: bench
bench: $(STAMP) ## Measure the wallet beside its peers, in minutes: tables, build/bench/report.html
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-full
bench-full: $(STAMP) ## The same five times, and what takes hours: a million players, a million requests
	$(BIN)/python -m benchmarks --full $(ARGS)

# uv reads the dependencies from pyproject.toml and keeps the versions already locked, unless ARGS=--upgrade.
.PHONY: lock
lock: $(TOOLS)/bin/uv ## Write requirements.txt, -otel.txt and -dev.txt anew (ARGS=--upgrade for newer versions)
	$(call compile,requirements.txt)
	$(call compile,requirements-otel.txt,--extra otel --constraint requirements.txt)
	$(call compile,requirements-dev.txt,--group dev --extra otel --constraint requirements-otel.txt)
compile = $(TOOLS)/bin/uv pip compile pyproject.toml $(2) --output-file $(1) --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command 'make lock' $(ARGS)

.PHONY: clean
clean: ## Remove everything these targets made (not a wallet's data)
	rm -rf $(VENV) $(TOOLS) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The project is installed without build isolation, with the backend from the lock: nothing comes unhashed.
$(STAMP): requirements-dev.txt pyproject.toml
	@$(choose_python); echo "Setting up $(VENV) with $$($$python --version)"; $$python -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_FLAGS) --require-hashes --requirement requirements-dev.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	@touch $@

$(TOOLS)/bin/uv:
	@$(choose_python); $$python -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install $(PIP_FLAGS) 'uv>=0.9,<1'
