# Everything a fresh machine needs: `make demo` shows the main job, `make test` passes the tests.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test fast lint types floors format bench wheel clean

$(STAMP): pyproject.toml
	python3 -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --editable ".[all]" --group dev
	touch $(STAMP)

demo: $(STAMP)  ## a town, its criminals, and what Tocsin makes of them
	$(BIN)/tocsin demo

fast: $(STAMP)  ## the tests that take a minute or a little more: no processes, no servers
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not heavy" --ignore=tests/e2e

test: lint types floors  ## everything that must hold
	$(BIN)/pytest -q -n 2 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

floors: $(STAMP)
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)  ## every table of bench/README.md; takes a while
	$(BIN)/pip install --quiet --group bench
	for b in bench/*.py; do $(BIN)/python $$b || exit 1; done

wheel: $(STAMP)
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) dist build demo-home
