# make demo    set up and run the main job on the embedded model
# make test    set up and run the tests           make test-slow   the cases that take minutes, too
# make bench   the benchmark against TRL and ms-swift: hours, resumable (bench/README.md)
# make check   lint, types and the house's own rules
# make docs    docs/rules.md from the rules themselves

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: demo test test-slow bench check docs clean

demo: $(STAMP)
	$(BIN)/tailor fit tickets

test: $(STAMP)
	$(BIN)/python -m pytest

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m "slow or not slow"

bench: $(STAMP)
	$(BIN)/python bench/run.py
	$(BIN)/python bench/growth.py
	$(BIN)/python bench/curves.py

check: $(STAMP)
	$(BIN)/ruff check src tests recipes bench
	$(BIN)/ruff format --check src tests recipes bench
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_house.py

docs: $(STAMP)
	$(BIN)/python -m tailor.curate.rulebook docs/rules.md

# torch comes first and by itself, so that the resolver meets the pinned build and never looks for another
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[train,dev]'
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps trl
	touch $(STAMP)

clean:
	rm -rf $(VENV)
