.DELETE_ON_ERROR:
.PHONY: setup demo test check bench faults fuzz new-module messages screenshots package lock sbom clean
BIN = .venv/bin
BUILT = src/mainzdigital/web/static/built/.stamp
FRONTEND = $(shell find frontend -type f -not -path '*/node_modules/*' 2>/dev/null)
PO = $(shell find src -name '*.po' 2>/dev/null)

# Everything a fresh machine needs; each step runs again only when what it depends on has changed.
setup: .venv/installed $(BUILT) .venv/messages

.venv/installed: pyproject.toml requirements/dev.txt tools/setup.sh
	sh tools/setup.sh python

$(BUILT): $(FRONTEND) tools/setup.sh
	sh tools/setup.sh frontend
	@touch $@

.venv/messages: .venv/installed $(PO)
	$(BIN)/python -m tools.messages compile
	@touch $@

# The running city, in the foreground. DATA=<folder> loads real files too.
demo: setup
	$(BIN)/mainzdigital demo $(if $(DATA),--data "$(DATA)")

test: setup
	sh tools/setup.sh browser
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: setup
	$(BIN)/ruff check src tests tools bench
	$(BIN)/ruff format --check src tests tools bench
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.messages check
	$(BIN)/python -m tools.documents check

bench: setup
	$(BIN)/python -m bench --write docs/benchmark.md $(ARGS)

# kill -9, full and slow disks, jumping clocks, storms: ten rounds of what `make test` does once.
faults: setup
	FAULT_ROUNDS=10 $(BIN)/python -m pytest -n 0 -m fault tests/fault $(ARGS)

# Ten times the requests that `make test` makes of grammars and of the OpenAPI document, others every time.
fuzz: setup
	FUZZ_ROUNDS=10 $(BIN)/python -m pytest -n 0 tests/fuzz $(ARGS)

new-module: setup
	@test -n "$(NAME)" || { echo "usage: make new-module NAME=roadworks"; exit 2; }
	$(BIN)/mainzdigital new-module $(NAME)

messages: .venv/installed
	$(BIN)/python -m tools.messages update

# dist/*.whl with the built front end and the compiled translations: runs without Node.
package: setup
	$(BIN)/python -m tools.package

# Exact versions with hashes of all that is installed; `make lock UPGRADE=--upgrade` takes the newest allowed.
lock: .venv/installed
	$(BIN)/python -m tools.lock $(UPGRADE)

sbom: setup
	$(BIN)/python -m tools.sbom dist/sbom.cdx.json

screenshots: setup
	sh tools/setup.sh browser
	$(BIN)/python -m tools.screenshots

clean:
	rm -rf .venv frontend/node_modules src/mainzdigital/web/static/built .mypy_cache .ruff_cache .pytest_cache .hypothesis
