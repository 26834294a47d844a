# Needs python3 (3.11 or newer) and make; everything else is fetched into .venv, checked by hash.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
export PYTHONDONTWRITEBYTECODE := 1
# a private directory for what must not be shared between users
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-cluster chaos chaos-cluster run test check fmt lint types layers migrations tests bench compiled lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Postroom needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11.")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "This Python cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## seed a company, run a campaign and a survey through real SMTP, show the report (ONCE=1 exits)
	$(BIN)/python -m demo $(if $(ONCE),--once)

demo-cluster: $(STAMP) ## a campaign through RabbitMQ, PostgreSQL and two Celery workers, every number checked
	$(BIN)/python -m tests.cluster.demo

run: $(STAMP) ## start an empty installation; the first page makes the administrator
	$(BIN)/postroom run

test: $(STAMP) ## the tests, on SQLite and on a real PostgreSQL
	$(BIN)/python -m pytest -q -n auto --dist loadfile

check: $(STAMP) fmt lint types layers migrations tests ## all that must hold before a change lands

fmt: $(STAMP)
	$(BIN)/ruff format --check .
lint: $(STAMP)
	$(BIN)/ruff check .
types: $(STAMP)
	$(BIN)/mypy
layers: $(STAMP)
	$(BIN)/lint-imports
migrations: $(STAMP)
	$(BIN)/python -m pytest -q tests/house/test_migrations.py
tests: test

bench: $(STAMP) ## the budgets, short form (each is a command of its own in benchmarks/)
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file --quick || exit 1; done

chaos: $(STAMP) ## kill, freeze, starve and cut senders on both databases, and count (QUICK=1: in a minute)
	$(BIN)/python -m tests.crash.chaos $(if $(QUICK),--quick)

chaos-cluster: $(STAMP) ## kill senders, schedulers and the broker of a cluster; nobody twice, nobody left out
	$(BIN)/python -m tests.cluster.chaos

compiled: $(STAMP) ## a wheel for this machine whose senders run as machine code, and build/compiled with it unpacked
	rm -rf build
	HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w build .
	$(BIN)/python -m pip install --quiet --no-deps --target build/compiled build/postroom-*.whl
	@echo "Install it where it is to run: pip install --no-deps --force-reinstall" build/postroom-*.whl

lock: ## renew requirements/*.txt from *.in (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q requirements/run.in -o requirements/run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q requirements/cluster.in -o requirements/cluster.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q requirements/dev.in -o requirements/dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q requirements/build.in -c requirements/dev.txt -o requirements/build.txt

clean: ## remove what was built here, and the demo's and tests' data
	rm -rf $(VENV) build var .mypy_cache .ruff_cache .pytest_cache .hypothesis
