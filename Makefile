# deskpulse. `make` alone lists the targets; every target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready ## make .venv with the locked packages

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "deskpulse needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup ## run the main job: broker, worker, sample data, live traffic
	@$(BIN)/deskpulse run

test: setup ## run the tests (starts a real Kafka where Java is at hand)
	$(BIN)/python -m pytest

check: setup ## style, types and drift of generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deskpulse generate --check

bench: setup ## measure the worker beside stock Faust, with a table at the end
	$(BIN)/python -m tests.bench

lock: setup ## renew requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --upgrade --no-header \
	  --no-emit-index-url --no-emit-find-links --output-file requirements.lock --quiet

clean: ## remove what make made, the demo's data included
	rm -rf .venv .deskpulse build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup run test check bench lock clean
.DEFAULT_GOAL := help
