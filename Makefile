# `make reports` and `make test` are all a newcomer needs; both create .venv from the lock first.
PYTHON ?= python3
# What stands after SCALE= or BASE= is one word of a command, whatever is in it; without SCALE params/scale.yaml counts.
unexport SCALE BASE BASE_SCALE REFERENCE IGNORE HARDWARE
quoted = '$(subst ','\'',$(value $(1)))'
SCALED = $(if $(value SCALE),--scale $(call quoted,SCALE))
OPEN := import sys; from common import scales; print(f"open reports/out/{(sys.argv[1:] or [scales.default()])[0]}/index.html")
PY := .venv/bin/python
INSTALLED := .venv/installed
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# One thread per process unless a run declares otherwise: sums over threads change the last bits.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
# Names of folders and printed text are UTF-8 under any locale.
export PYTHONUTF8 := 1
# Snakemake asks for the user's name, which a bare user id in a container has not, and stops without. It keeps a cache
# below HOME, and stops where it cannot.
export LOGNAME ?= $(shell id -u)
ifneq ($(shell test -w "$$HOME" && echo writable),writable)
export XDG_CACHE_HOME := $(shell mktemp -d)
endif

.PHONY: help install reports repro page site test test-slurm test-remotes lint plan compare rerun official bench bench-suite audit clean mutants coverage

help:  ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

install: $(INSTALLED)  ## the environment, from the lock

$(INSTALLED): requirements/lock.txt requirements/installer.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed; found `$(PYTHON) --version`. Say which: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --require-hashes -r requirements/installer.txt
	$(PY) -m uv pip install --quiet --python $(PY) --require-hashes --compile-bytecode -r requirements/lock.txt
	touch $@

# A page needs no torch: without the whole environment it gets one of its own packages alone, a tenth as large.
PAGE := $(if $(wildcard $(INSTALLED)),$(INSTALLED),.venv/page)

.venv/page: requirements/page.txt requirements/installer.txt
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --require-hashes -r requirements/installer.txt
	$(PY) -m uv pip install --quiet --python $(PY) --require-hashes --compile-bytecode -r requirements/page.txt
	touch $@

reports: $(INSTALLED)  ## every exhibit at SCALE (default: params/scale.yaml), and the page that shows them
	$(PY) -m snakemake --cores all $(if $(value SCALE),--config scale=$(call quoted,SCALE)) -- reports
	@$(PY) -c '$(OPEN)' $(if $(value SCALE),$(call quoted,SCALE))

repro: $(INSTALLED)  ## the same by DVC, after any kill of it
	$(PY) -m stages repro

page: $(PAGE)  ## the page of SCALE from the committed evidence, without a run
	$(PY) -m reports.verdict $(SCALED) --from evidence
	$(PY) -m reports.draw $(SCALED) --from evidence
	$(PY) -m reports.index $(SCALED) --from evidence
	@$(PY) -c '$(OPEN)' $(if $(value SCALE),$(call quoted,SCALE))

site: $(PAGE)  ## the pages of all scales that have committed evidence, in reports/out
	for scale in reports/evidence/*/; do $(MAKE) --no-print-directory page SCALE="$$(basename "$$scale")" || exit 1; done

test: $(INSTALLED)  ## the whole test suite
	$(PY) -m pytest -n auto --dist loadfile -q tests

test-slurm: $(INSTALLED)  ## one exhibit through a Slurm cluster of two nodes on this machine (needs slurm-wlm, munge, root)
	$(PY) -m pytest -q tests/slurm --slurm

test-remotes: $(INSTALLED)  ## DVC's remotes: a folder, and a real S3 server of this machine in .venv-remotes
	$(PYTHON) -m venv .venv-remotes
	for lock in lock remotes; do \
	  $(PY) -m uv pip install --quiet --python .venv-remotes/bin/python --require-hashes --no-deps -r requirements/$$lock.txt || exit 1; done
	PATH="$(CURDIR)/.venv-remotes/bin:$$PATH" .venv-remotes/bin/python -m pytest -q tests/test_remotes.py

lint: $(INSTALLED)  ## ruff and snakefmt
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m snakefmt --check Snakefile workflows

plan: $(INSTALLED)  ## resolve params/ into params/plan/, for all scales or SCALE=...; prints cells, runs and the price on HARDWARE=...
	$(PY) -m stages plan --cost $(SCALED) $(if $(value HARDWARE),--hardware $(call quoted,HARDWARE))

compare: $(INSTALLED)  ## what changed since BASE="a b c" (git revisions, results folders, scales): parameters, numbers, verdicts
	$(PY) -m reports.compare --base $(if $(value BASE),$(call quoted,BASE),HEAD) $(SCALED) $(if $(value BASE_SCALE),--base-scale $(call quoted,BASE_SCALE)) \
	  $(if $(value REFERENCE),--reference $(call quoted,REFERENCE)) $(if $(value IGNORE),--ignore $(foreach each,$(value IGNORE),'$(subst ','\'',$(each))')) $(if $(MARKDOWN),--markdown)

rerun: $(INSTALLED)  ## three random runs of the committed evidence of SCALE, made again from nothing: the same numbers?
	$(PY) -m stages prepare $(SCALED)
	$(PY) -m stages rerun $(SCALED)

official: $(INSTALLED)  ## TensorFlow, to read the published checkpoints (python -m stages import_official)
	$(PY) -m uv pip install --quiet --python $(PY) --require-hashes --compile-bytecode -r requirements/official.txt

# The peers see the suite's own packages, so that both have one torch, and bring a few of their own.
BENCH := .venv-bench/installed

$(BENCH): $(INSTALLED) requirements/bench.txt
	$(PY) -m venv --clear --without-pip .venv-bench
	$(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$(.venv-bench/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/suite.pth"
	$(PY) -m uv pip install --quiet --python .venv-bench/bin/python --no-deps --require-hashes --compile-bytecode -r requirements/bench.txt
	touch $@

bench: $(BENCH)  ## how fast the suite is beside lightly and others, in 5 minutes: reports/bench.json, docs/performance.md
	$(PY) -m tests.bench $(BENCH_OPTIONS)
	$(PY) -m tests.bench.page

bench-suite: $(BENCH)  ## the same of whole runs, in fresh clones of what is committed: 20 minutes
	$(PY) -m tests.bench --suite $(BENCH_OPTIONS)
	$(PY) -m tests.bench.page

clean:  ## drafts of reports and Snakemake's notes; results stay
	rm -rf reports/out .snakemake

audit: $(INSTALLED)  ## known vulnerabilities, licences and a bill of materials of all packages, in results/audit
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet pip-audit pip-licenses cyclonedx-bom
	mkdir -p results/audit
	.venv-audit/bin/pip-licenses --python $(PY) --format csv --output-file results/audit/licences.csv
	.venv-audit/bin/cyclonedx-py environment --output-reproducible -o results/audit/sbom.json $(PY)
	.venv-audit/bin/pip-audit --require-hashes --disable-pip -r requirements/lock.txt -f json -o results/audit/vulnerabilities.json || \
	  { echo "error: vulnerabilities, or no answer from the advisory database: see above and results/audit/vulnerabilities.json" >&2; exit 1; }

MUTANTS := .venv-mutants/bin/python

.venv-mutants/installed: $(INSTALLED) Makefile
	$(PYTHON) -m venv .venv-mutants
	$(MUTANTS) -m pip install --quiet cosmic-ray==8.7.0 coverage==7.17.5
	$(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$($(MUTANTS) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/suite.pth"
	touch $@

mutants: .venv-mutants/installed  ## how many small faults in the modules that decide numbers the tests notice (an hour or more)
	$(MUTANTS) -m tests.mutants

coverage: .venv-mutants/installed  ## the lines of simclr, stages and reports that the tests reach, in results/coverage
	rm -rf results/coverage
	mkdir -p results/coverage
	$(MUTANTS) -m coverage run --rcfile tests/coverage.ini -m pytest -q -m "not slow" tests/common tests/simclr tests/stages tests/reports
	$(MUTANTS) -m coverage combine --rcfile tests/coverage.ini --quiet
	$(MUTANTS) -m coverage html --rcfile tests/coverage.ini --quiet --directory results/coverage/html
	$(MUTANTS) -m coverage report --rcfile tests/coverage.ini --fail-under 90
