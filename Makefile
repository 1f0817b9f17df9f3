# Needs Python 3.11 or newer, nothing else. The first target that runs makes .venv and installs into it.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

# The first interpreter that is new enough; `make PYTHON=/path/to/python3.12 test` chooses another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)

# pip uses these for the package and for what builds it.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT := $(PIP_CONSTRAINT)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What `make test` leaves out. Plain pytest runs the live tests too, which are skipped without credentials.
DEFAULT := not (live or slow or soak or performance)

# Extra arguments: make test ARGS="-k book", make demo ARGS="--json".
ARGS ?=

# How many runs `make truth` judges by.
SEEDS ?= 50

# The first interpreter that kalshi-sdk can run under; empty = none.
CLIENTS_PYTHON ?= $(shell for name in python3.13 python3.12 python3.14 python3 $(HOME)/.pyenv/versions/*/bin/python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo "$$name" && break; done)

.PHONY: help install clients incidents libraries hard runs demo test test-unit test-integration test-live test-slow test-lowest lint format bench truth wheel clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: $(READY) ## make .venv and install Tapedeck into it

demo: $(READY) ## a small recording made, imported, verified and replayed; no account, no network
	@$(BIN)/tapedeck demo $(ARGS)

test: $(READY) ## every test but the slow ones and those that need your key
	$(BIN)/python -m pytest -n auto -m "$(DEFAULT)" $(ARGS)

test-unit: $(READY) ## only the tests that stay inside one package and one process
	$(BIN)/python -m pytest -n auto -m "not integration and $(DEFAULT)" $(ARGS)

test-integration: $(READY) ## only the tests across packages and processes
	$(BIN)/python -m pytest -n auto -m "integration and $(DEFAULT)" $(ARGS)

test-slow: $(READY) ## the tests that take minutes: damage everywhere, kills at random instants, work at scale
	$(BIN)/python -m pytest -n auto -m "slow or performance" --timeout=3600 $(ARGS)

test-live: $(READY) ## connects to the exchange of KALSHI_ENV (demo by default) with your key, and places no order
	$(BIN)/python -m pytest -m live tests/test_websocket_integration.py $(ARGS)

hard: $(READY) ## 50 kills at random instants under load, and a day's frames in minutes on one processor, with their figures
	$(BIN)/python -m pytest -n 0 -s -m slow --timeout=3600 tests/test_capture_kills.py tests/test_capture_limits.py $(ARGS)

runs: $(READY) ## a hundred live runs of Scanner and Market Maker on the sandbox, each replayed and compared (an hour)
	$(BIN)/python -m pytest -n 0 -m soak --timeout=3600 tests/test_live_runs.py $(ARGS)

incidents: $(READY) ## the incidents in data/fixtures/incidents that are not there, recorded at a sandbox, cut, scrubbed and shrunk
	PYTHONPATH=.:tests $(BIN)/python tests/incident_making.py data/fixtures/incidents $(ARGS)

clients: ## .venv-clients with the client that our Python cannot run, for tests/test_foreign_client_kalshi_sdk.py
	@if [ -z "$(CLIENTS_PYTHON)" ]; then echo "no Python 3.12 or newer: the tests with kalshi-sdk are skipped"; \
	elif [ ! -e .venv-clients/ready ]; then "$(CLIENTS_PYTHON)" -m venv --clear .venv-clients \
		&& PIP_CONSTRAINT= PIP_BUILD_CONSTRAINT= .venv-clients/bin/python -m pip install --quiet kalshi-sdk==22.4.0 \
		&& touch .venv-clients/ready; fi

libraries: ## .venv-libraries with hftbacktest and nautilus_trader, which exports are read with in tests (1.6 GB)
	@if [ ! -e .venv-libraries/ready ]; then "$(or $(CLIENTS_PYTHON),$(PYTHON))" -m venv --clear .venv-libraries \
		&& PIP_CONSTRAINT= PIP_BUILD_CONSTRAINT= .venv-libraries/bin/python -m pip install --quiet --editable . hftbacktest==2.4.4 \
			'nautilus_trader==1.231.0; python_version >= "3.12"' 'nautilus_trader==1.221.0; python_version < "3.12"' \
		&& touch .venv-libraries/ready; fi

test-lowest: ## every test but the slow ones, with the oldest versions that pyproject.toml allows
	"$(PYTHON)" -m venv --clear .venv-lowest
	"$(PYTHON)" -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
		[print(need.replace('>=', '==')) for need in sum(project['optional-dependencies'].values(), project['dependencies'])]" \
		> .venv-lowest/lowest.txt
	PIP_CONSTRAINT=.venv-lowest/lowest.txt .venv-lowest/bin/python -m pip install --quiet --editable '.[fast,test]'
	.venv-lowest/bin/python -m pytest -n auto -m "$(DEFAULT)" $(ARGS)

lint: $(READY) ## formatting, lint and strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .

format: $(READY) ## put the formatting right, and what lint can repair by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## size, speed and memory beside the peers, measured here and now; ARGS=--write puts it into docs/BENCHMARKS.md
	$(BIN)/python -m benchmarks $(ARGS)

truth: $(READY) ## backtests against runs that truly traded: 50 seeds (SEEDS=2: two), 5 minutes each, in some twenty minutes
	$(BIN)/python -c "from replay.truth import tables; [print(t, flush=True) for t in tables(range(1, $(SEEDS) + 1), 300 * 10**9)]"

wheel: $(READY) ## dist/tapedeck-*.whl
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist .

clean: ## remove everything the targets above made
	rm -rf $(VENV) .venv-lowest .venv-clients .venv-libraries .venv-bench-* dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Tapedeck needs Python 3.11 or newer; found: $$("$(or $(PYTHON),python3)" --version 2>&1). Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/pip || "$(PYTHON)" -m venv --clear $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV) (once; a minute or so) ..."
	@$(BIN)/python -m pip install --quiet --editable '.[fast,test]'
	@touch $@
