# Everything a developer does, by name. All targets call `setup` first; it is quick when nothing changed.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PROJECTS := protos driver_host cli delfin_adapter .
# More than there are processors: tests wait for processes half of their time.
WORKERS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 2 )))
STAMP := $(VENV)/.setup-done
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup up test test-all check format proto bench lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1\t/' | expand -t 12

setup: $(STAMP)  ## make .venv with everything locked, and our projects installed editable

$(STAMP): requirements/dev.txt pyproject.toml $(PROJECTS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit("Delphis needs Python 3.11 or newer, this is " + sys.version if sys.version_info < (3, 11) else 0)'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(PY) -m pip install --quiet --no-build-isolation --no-deps $(PROJECTS:%=--editable ./%)
	@touch $@

up: setup  ## run Delphis with three generated arrays: REST on 127.0.0.1:8190, gRPC on :8191
	@exec $(VENV)/bin/delphis up --demo

test: setup  ## the tests that need nothing but this checkout (ARGS="-k router" to choose)
	$(PY) -m pytest --numprocesses $(WORKERS) --dist loadfile -m "not (slow or ceph or postgres or packaging or apt or go or node or kafka or root)" $(ARGS)

test-all: setup  ## every test; needs what .ci/run installs
	$(PY) -m pytest $(ARGS)

check: setup  ## lint, format, types, generated files, contract, packaging rules
	$(PY) .ci/check.py

format: setup  ## format Python and proto files
	$(VENV)/bin/ruff check --fix-only --quiet .
	$(VENV)/bin/ruff format --quiet .
	$(VENV)/bin/buf format --write

proto: setup  ## regenerate protos/gen/python and docs/reference from protos/delphis
	$(PY) protos/generate.py
	$(PY) protos/generate_reference.py
	$(PY) protos/generate_metrics.py

bench: setup  ## measure, and print the table of README.md
	$(PY) -m benchmarks $(ARGS)

lock: setup  ## write requirements/*.txt anew (LOCK_ARGS=--upgrade for newer versions)
	@test -x .venv-lock/bin/uv || $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --require-hashes --requirement requirements/lock.txt
	requirements/lock.sh .venv-lock/bin/python $(LOCK_ARGS)

clean:  ## remove environments and caches, not data
	rm -rf .venv .venv-protoc .venv-protoc-plugin .venv-lock .venv-go .venv-node .venv-kafka .mypy_cache .ruff_cache .pytest_cache build dist
