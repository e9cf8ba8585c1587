# Every target makes what it needs: a machine with Python 3.11 or later and make is enough.
# Another interpreter: make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: bench bench-compare bench-growth readme test coverage lint format clean

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.pooling $(BENCH)

bench-compare: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.compare $(BENCH)

bench-growth: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.growth $(BENCH)

# Into the README go the last runs of bench and bench-compare: make bench bench-compare readme
readme: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.readme

# All but those that take some seconds each, which are: make test TESTS="-m slow"
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow" $(TESTS)

# What no test runs, line by line and branch by branch; children count.
coverage: $(VENV)/.installed-coverage
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest $(TESTS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

lint: $(VENV)/.installed-lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.installed-lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-* $(VENV) build dist benchmarks/results .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip reads dependency groups from 25.1 on, which is newer than the one that Python 3.11 brings.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

$(VENV)/.installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable . --group $*
	touch $@
