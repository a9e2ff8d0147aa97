# One command per habit, the same by hand and in CI. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# What `make demo` hands to `btard swarm`, and `make sim` to `btard simulate`; override on the command line.
DEMO_ARGS ?= --name demo --peers 8 --byzantine sign_flip,wrong_aggregate,false_accusation --attack-start 20 --require-bans --overwrite
SIM_ARGS ?= --seeds 1000
# What `make fuzz` hands to the fuzzers: `FUZZ_ARGS='certificate --seed 7'` runs one of them.
FUZZ_ARGS ?= --inputs 1000000
# Which bugs `make mutants` plants: all without a name. `MUTANTS_ARGS='--simulate 12 --write'` asks the simulator too.
MUTANTS_ARGS ?=
# `MODEL_ARGS='broadcast --peers 3'` checks one model in one size.
MODEL_ARGS ?=
# What `make bench` measures; arguments only make sense for one of them.
BENCH ?= aggregators coin draco lab memory strangers throughput update
BENCH_ARGS ?=

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo test check fix sim fuzz mutants model bench clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## Train with a swarm of real processes on this machine, cheats among them
	@$(BIN)/btard swarm $(DEMO_ARGS)

test: $(STAMP) ## Run the tests
	@$(BIN)/python -m pytest

check: $(STAMP) ## Check format, lint, types and layers
	@$(BIN)/ruff format --check --quiet . || { echo 'Not formatted as above: run `make fix`.' >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo --config pyproject.toml
	@echo 'check: all good'

fix: $(STAMP) ## Format, and repair what ruff can repair
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

sim: $(STAMP) ## Simulate many seeds of a swarm under faults; a failure prints the command that replays it
	@$(BIN)/btard simulate $(SIM_ARGS)

fuzz: $(STAMP) ## Give hostile bytes and events to everything, for an hour or two; what breaks is kept
	@$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

mutants: $(STAMP) ## Plant bugs one at a time in a copy; tests must find every one
	@$(BIN)/python -m tests.mutants $(MUTANTS_ARGS)

model: $(STAMP) ## Check models of agreement and accusation with spin, in all states; skipped without spin
	@$(BIN)/python protocols/model/check.py $(MODEL_ARGS)

bench: $(STAMP) ## Measure; writes benchmarks/results
	@failed=; for part in $(BENCH); do $(BIN)/python -m benchmarks.$$part $(BENCH_ARGS) || failed="$$failed $$part"; done; \
	  test -z "$$failed" || { echo "bench: a bar does not hold in:$$failed" >&2; exit 1; }

clean: ## Remove everything that these commands made, the environment too
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Without the venv module's pip (Debian packages it apart) the pip of $(PYTHON) itself installs into
# the environment.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here: install Python 3.10 or newer, or say PYTHON=/path/to/python." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "btard needs Python 3.10 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1): say PYTHON=/path/to/python3.10." >&2; exit 1; }
	@echo 'Setting up $(VENV), once: torch is large, this takes some minutes.'
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { $(PYTHON) -m venv --without-pip --clear $(VENV) \
	  && $(PYTHON) -m pip --python $(BIN)/python install -qq pip; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@
