# make run    install and explore every behaviour of a three-server cluster
# make test   install what the tests need and run them
# make thorough   the same with all cases of slow tests, and two hundred kills
# make lint   ruff and mypy --strict
# make bench  measure the explorers
# make proto  generate the messages of the API from their .proto files

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest --dist worksteal -n $$(( $$(getconf _NPROCESSORS_ONLN) + 1 ))
# One process more than there are cores: some tests wait for servers.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run install test thorough lint bench proto clean

run: install
	$(BIN)/raftproof check

install: $(VENV)/installed

test: $(VENV)/installed-dev
	$(PYTEST)

thorough: $(VENV)/installed-dev
	THOROUGH=1 KILLS=200 $(PYTEST)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks.explore $(BENCH)

proto: $(VENV)/installed-dev
	$(BIN)/python -m raftimpl.etcd.generate

$(VENV)/python-is-new-enough:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("raftproof needs Python 3.11 or newer; this is " + sys.version.split()[0] + ": run make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: pyproject.toml | $(VENV)/python-is-new-enough
	$(PIP) --editable '.[server]'
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/python-is-new-enough
	$(PIP) --editable '.[test,dev]'
	@touch $(VENV)/installed $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
