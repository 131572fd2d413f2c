# Everything starts here, and each target sets up what it needs: Python 3.11 and make are enough.
.DEFAULT_GOAL := help
SHELL  := /bin/sh
PYTHON ?= python3
# Test processes side by side; each has a database of its own.
JOBS   ?= 2

# A stamp carries the checksum of what was installed and where, so that a changed lock or a moved folder installs anew.
checksum   = $(shell { $(1); } | cksum | cut -d ' ' -f 1)
VENV_STAMP := .venv/.made-$(call checksum,pwd)
RUN_STAMP  := .venv/.run-$(call checksum,cat pyproject.toml requirements/run.txt)
DEV_STAMP  := .venv/.dev-$(call checksum,cat pyproject.toml requirements/dev.txt)
INSTALL    := .venv/bin/python -m pip --disable-pip-version-check -qq install

.PHONY: help run test test-pooled check bench chaos dev lock format clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

run: $(RUN_STAMP)  ## start it all: database, demo practice, API, worker, portal; Ctrl-C stops it
	@exec .venv/bin/officepro run --stop-with-parent $$PPID

test: $(DEV_STAMP)  ## every test except the chaos drills
	@.venv/bin/python -m pytest -n $(JOBS) --dist loadfile -m 'not chaos'

test-pooled: $(DEV_STAMP)  ## the same, the application behind PgBouncer in transaction mode
	@TEST_POOLED=1 .venv/bin/python -m pytest -n $(JOBS) --dist loadfile -m 'not chaos'

check: $(DEV_STAMP)  ## format, lint, strict types, who imports whom, house rules
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m pytest -q tests/house

bench: $(DEV_STAMP)  ## measure beside the yardsticks, on this machine in this minute
	@.venv/bin/python -m benchmarks

chaos: $(DEV_STAMP)  ## the drills that kill, pause and starve it; minutes
	@.venv/bin/python -m pytest -m chaos

dev: $(DEV_STAMP)  ## .venv with everything a developer needs

format: $(DEV_STAMP)  ## format the code and sort the imports
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: $(DEV_STAMP)  ## choose the newest versions anew: requirements/*.txt
	.venv/bin/uv pip compile $(LOCK) -o requirements/run.txt
	.venv/bin/uv pip compile $(LOCK) --group dev --all-extras --constraint requirements/run.txt -o requirements/dev.txt

clean:  ## remove .venv and caches; the data folder stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Locked for every platform, with hashes, without the address of any index.
LOCK = pyproject.toml requirements/build.in --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header

$(RUN_STAMP): $(VENV_STAMP)
	@echo 'Installing what officepro runs on into .venv ...'
	@$(INSTALL) --require-hashes --requirement requirements/run.txt
	@$(INSTALL) --no-build-isolation --no-deps --editable .
	@rm -f .venv/.run-* && touch $@

# dev.txt is made under the constraint of run.txt: who has installed it has installed both.
$(DEV_STAMP): $(VENV_STAMP)
	@echo 'Installing what officepro is developed with into .venv ...'
	@$(INSTALL) --require-hashes --requirement requirements/dev.txt
	@$(INSTALL) --no-build-isolation --no-deps --editable .
	@rm -f .venv/.run-* .venv/.dev-* && touch $@ $(RUN_STAMP)

$(VENV_STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'officepro needs Python 3.11 or newer; name it with: make PYTHON=/path/to/python3 ...' >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv \
		|| { echo 'Python could not make .venv; on Debian and Ubuntu, install the package python3-venv.' >&2; exit 1; }
	@touch $@
