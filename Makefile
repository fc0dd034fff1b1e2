# `make reports` and `make test` are all a newcomer needs; both create .venv from the lock first.
PYTHON ?= python3
SCALE ?= $(shell sed -n 's/^scale: *//p' params/scale.yaml)
BIN := .venv/bin
INSTALLED := .venv/installed
export PATH := $(CURDIR)/$(BIN):$(PATH)
# One thread per process unless a run declares otherwise: sums over threads change the last bits.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

.PHONY: help install reports test lint plan compare official bench clean

help:  ## what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

install: $(INSTALLED)  ## the environment, from the lock

$(INSTALLED): requirements/lock.txt requirements/installer.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed; found `$(PYTHON) --version`. Say which: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/installer.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements/lock.txt
	touch $@

reports: $(INSTALLED)  ## every exhibit at SCALE (default: params/scale.yaml), and the page that shows them
	$(BIN)/snakemake --cores all --config scale=$(SCALE) -- reports
	@echo "open reports/out/$(SCALE)/index.html"

test: $(INSTALLED)  ## the whole test suite
	$(BIN)/python -m pytest -n auto --dist loadfile -q tests

lint: $(INSTALLED)  ## ruff and snakefmt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflows

plan: $(INSTALLED)  ## resolve params/ into params/plan/, for all scales or SCALE=...; prints cells, runs and cost
	$(BIN)/python -m stages plan --cost $(if $(filter command environment,$(firstword $(origin SCALE))),--scale $(SCALE))

compare: $(INSTALLED)  ## what changed since BASE (a git revision, or another results folder): parameters, numbers, verdicts
	$(BIN)/python -m reports.compare --base $(or $(BASE),HEAD) --scale $(SCALE) $(if $(BASE_SCALE),--base-scale $(BASE_SCALE))

official: $(INSTALLED)  ## TensorFlow, to read the published checkpoints (python -m stages import_official)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements/official.txt

bench: $(INSTALLED)  ## image pairs per second, end to end
	$(BIN)/python -m tests.bench.pretraining

clean:  ## drafts of reports and Snakemake's notes; results stay
	rm -rf reports/out .snakemake
