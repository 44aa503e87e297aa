# Two commands matter to a stranger: `make demo` and `make test`. Each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH := layers/control_plane:.

.PHONY: bench-judge demo test check fmt setup clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==0.13.9
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	printf '#!/bin/sh\nPYTHONPATH="%s/layers/control_plane:%s" exec "%s/python" -m cli "$$@"\n' \
		"$(CURDIR)" "$(CURDIR)" "$(CURDIR)/$(BIN)" > $(BIN)/candlefish
	chmod +x $(BIN)/candlefish
	touch $@

demo: setup
	$(BIN)/python -m cli lab demo

test: setup
	$(BIN)/python -m pytest

# Judges side by side on simulated traffic; ARGS=--quick is a smoke test.
bench-judge: setup
	$(BIN)/python -m tests.benchmarks.judge $(ARGS)

fmt: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venv-sam .tools .aws-sam .lab build reports
