# minedisc. The two commands: `make run` and `make test` (README, "Set-up").
#
# PORT=8501          the app's port
# ADDRESS=127.0.0.1  where it listens; 0.0.0.0 lets the network in
# PYTHON=python3.12  the Python that makes .venv (3.11, 3.12 or 3.13; default: the one there, else python3)
# JOBS=2             test processes at a time

PORT ?= 8501
ADDRESS ?= 127.0.0.1
JOBS ?= 2
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --no-loadscope-reorder

ifeq ($(PYTHON),)
SETUP := $(shell command -v python3 || command -v python3.13 || command -v python3.12 || command -v python3.11) minedisc_core/setup/install.py
else
SETUP := $(PYTHON) minedisc_core/setup/install.py --this-python
endif

.PHONY: run install test check lint dev browser vendor clean

run: install
	@$(BIN)/python -m minedisc_core.setup.start --port "$(PORT)" --address "$(ADDRESS)"

install:
	@$(SETUP)

dev:
	@$(SETUP) --dev

vendor: install
	@$(BIN)/python -m minedisc_core.setup.vendor

browser: dev
	@$(BIN)/python -m minedisc_core.setup.browser

lint: dev
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports

check: lint
	@$(PYTEST) tests/unit tests/test_house.py

test: lint browser
	@$(PYTEST) tests/test_house.py tests/unit tests/integration tests/pages tests/e2e

clean:
	rm -rf .venv vendor .mypy_cache .ruff_cache .hypothesis build *.egg-info
