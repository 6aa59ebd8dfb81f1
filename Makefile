# Mindgate from a clone. Needs Python 3.11 or newer and make, nothing else.
#
# Everything is installed into .venv from the hash-locked files in requirements/. A stamp file per step says what is
# already there: a second `make run` installs nothing, a changed lock installs again.

# The first Python on PATH that is new enough. Another one: make install PYTHON=/path/to/python3.12
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

BIN := .venv/bin
# Hashes for every file, and nothing that is not in the lock; the same call in the Dockerfile.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
KEY_NAMES := (FOURMINDS|MINDS|OPENMIND)_API_KEY(_FILE)?|MINDGATE_CONFIG
# As in the image: bodies above 1 MB go back to the system when they are done with. (glibc's; others take no notice.)
export MALLOC_MMAP_THRESHOLD_ ?= 1048576
export MALLOC_TRIM_THRESHOLD_ ?= 1048576
# The product with its data plane compiled, and a path to it while it is what the sources say (docs/decisions/0018).
COMPILED := $(CURDIR)/.compiled/site
SOURCES := setup.py pyproject.toml $(shell find app -name '*.py' 2>/dev/null)
CURRENT = $(shell [ -e .compiled/.stamp ] && [ -z "$$(find $(SOURCES) -newer .compiled/.stamp)" ] && echo $(COMPILED))
# Arguments for the command or for pytest: make run ARGS="--port 9000" · make test ARGS="-k streaming"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install run compiled test test-compiled check fuzz prove bench bench-peers format lock clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

install: .venv/.stamp-project ## set up .venv with what the gateway needs to run

# serve when there is something to serve: an upstream key or a named file, in the environment or in .env, or the usual file.
run: install ## set up, then serve (with an upstream key or a config file) or demo (without)
	@if [ -n "$$FOURMINDS_API_KEY$$MINDS_API_KEY$$OPENMIND_API_KEY$$MINDGATE_CONFIG" ] || [ -e config/mindgate.yaml ] \
		|| [ -n "$$FOURMINDS_API_KEY_FILE$$MINDS_API_KEY_FILE$$OPENMIND_API_KEY_FILE" ] \
		|| grep -Eqs "^[[:space:]]*(export[[:space:]]+)?($(KEY_NAMES))[[:space:]]*=[[:space:]]*[\"']?[^\"'#[:space:]]" .env; \
	then PYTHONPATH=$(CURRENT) exec $(BIN)/mindgate serve $(ARGS); \
	else PYTHONPATH=$(CURRENT) exec $(BIN)/mindgate demo $(ARGS); fi

compiled: .compiled/.stamp ## compile the data plane, for half the CPU of a request; make run then uses it

# Without a C compiler the second half is left out, loudly; CI must have one.
test: check ## set up, check, then run every test in parallel, on the sources and on the compiled data plane
	$(BIN)/python -m pytest -n auto $(ARGS)
	@if command -v $${CC:-cc} >/dev/null; then $(MAKE) --no-print-directory test-compiled; \
	else echo "SKIPPED: the tests of the compiled data plane; there is no C compiler" >&2; [ "$$CI" != true ]; fi

test-compiled: .compiled/.stamp ## the tests, on the compiled data plane
	$(BIN)/python -m pytest -n auto -o pythonpath="$(COMPILED) ." -m "not interpreted" $(ARGS)

check: .venv/.stamp-dev ## formatter, linter, types, rooms and floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What it learns, and any input that breaks something, stays in .fuzz/. make fuzz ARGS="chat_stream -max_total_time=3600"
fuzz: .venv/.stamp-dev ## look for bytes of a peer that break a promise, for ten minutes each
	$(BIN)/python -m tests.fuzz $(ARGS)

# Linux. Real processes, killed and started again. make prove ARGS="--quick --only kill"
prove: .compiled/.stamp ## what is claimed of limits and the ledger, shown on the compiled data plane: nine minutes
	PYTHONPATH=$(COMPILED):$(CURDIR) $(BIN)/python -P -m tests.prove $(ARGS)

# Linux. How to read what comes out: docs/performance.md. make bench ARGS="--quick --only chat-64"
bench: .compiled/.stamp ## what a request costs, next to nginx: minutes
	$(BIN)/python -m benchmarks --product .compiled/site $(ARGS)

bench-peers: .compiled/.stamp ## the same, and next to other gateways, which are installed into .bench/
	$(BIN)/python -m benchmarks --product .compiled/site --peers $(ARGS)

format: .venv/.stamp-dev ## format, and fix what the linter can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# One resolution for every platform and Python 3.11 and newer, with the hash of every published file. The runtime lock constrains the dev lock, so both give the same versions. `make lock ARGS=--upgrade` renews all.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS)
lock: .venv/.stamp-dev ## resolve the dependencies again and write requirements/*.txt
	$(LOCK) --output-file requirements/runtime.txt pyproject.toml
	$(LOCK) --output-file requirements/dev.txt --group dev --constraint requirements/runtime.txt pyproject.toml
	$(LOCK) --group build --output-file requirements/build.txt
	$(LOCK) --group compile --constraint requirements/dev.txt --output-file requirements/compile.txt

clean: ## remove .venv, caches and build results
	rm -rf .venv .bench .compiled build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov
	find app benchmarks tests -type d -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@[ -n "$(PYTHON)" ] && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Mindgate needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.stamp-runtime: requirements/runtime.txt requirements/build.txt | .venv/bin/python
	$(PIP_INSTALL) --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@touch $@

# The project itself: editable, with the build backend installed above instead of one fetched without a hash.
.venv/.stamp-project: pyproject.toml .venv/.stamp-runtime
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.stamp-dev: requirements/dev.txt .venv/.stamp-project
	$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

# A C compiler and Python's headers; two minutes, less when nothing compiled has changed.
.compiled/.stamp: $(SOURCES) .venv/.stamp-dev
	rm -rf .compiled build/lib*
	COMPILE=1 $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir .compiled .
	$(PIP_INSTALL) --no-deps --no-index --target $(COMPILED) .compiled/*.whl
	@touch $@
