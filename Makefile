# deskpulse. `make` alone lists the targets; every target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

bench: setup ## measure the worker beside its peers, with a table at the end (a quarter of an hour)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[bench]'
	$(BIN)/python -m tests.bench

chaos: setup ## kill workers and brokers in every way and hold the numbers against an oracle (15 minutes)
	$(BIN)/python -m tests.chaos --write

soak: setup ## half an hour of steady load: is the worker's memory flat?
	$(BIN)/python -m tests.chaos.soak

e2e: setup ## break a whole deployment 20 times in every way, and count the pages (an hour and more)
	$(BIN)/python -m tests.e2e

lock: setup ## renew requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --upgrade --no-header \
	  --no-emit-index-url --no-emit-find-links --output-file requirements.lock --quiet
	$(BIN)/uv pip compile pyproject.toml --constraint requirements.lock --universal --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --output-file deploy/requirements.lock --quiet

clean: ## remove what make made, the demo's data included
	rm -rf .venv .deskpulse build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup run test check bench chaos soak e2e lock clean
.DEFAULT_GOAL := help
