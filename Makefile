.PHONY: setup demo test check bench new-module messages clean
PYTHON ?= python3
BIN = .venv/bin

setup: .venv/installed

.venv/installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed (Debian: apt install python3 python3-venv)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable . --group dev
	touch $@

test: setup
	$(BIN)/python -m pytest -n 2

check: setup
	$(BIN)/ruff check src tests tools
	$(BIN)/ruff format --check src tests tools
	$(BIN)/mypy
	$(BIN)/lint-imports
