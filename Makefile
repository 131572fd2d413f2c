# Everything starts here, and each target sets up what it needs: Python 3.11 and make are enough.
.DEFAULT_GOAL := help
SHELL  := /bin/sh
# python3, unless it says of itself that it was built without optimisation, as those by pyenv are: the system's, where
# that can do it, answers a quarter more calls with the same code. (docs/decisions/0018)
PYTHON ?= $(shell python3 -c 'import sys, sysconfig; \
	sys.exit("--enable-optimizations" not in sysconfig.get_config_var("CONFIG_ARGS"))' 2>/dev/null \
	|| ! /usr/bin/python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo python3 || echo /usr/bin/python3)
# Test processes side by side; each has a database of its own.
JOBS   ?= 2

# A stamp carries the checksum of what was installed and where, so that a changed lock or a moved folder installs anew.
checksum   = $(shell { $(1); } | cksum | cut -d ' ' -f 1)
VENV_STAMP := .venv/.made-$(call checksum,pwd)
RUN_STAMP  := .venv/.run-$(call checksum,cat pyproject.toml requirements/run.txt)
DEV_STAMP  := .venv/.dev-$(call checksum,cat pyproject.toml requirements/dev.txt)
PATRONI_STAMP := .patroni/.made-$(call checksum,pwd; cat requirements/patroni.txt)
INSTALL    := .venv/bin/python -m pip --disable-pip-version-check -qq install

# Programs and the Debian packages that they come from: installed where that is allowed, asked for where it is not.
debian = PATH=$$PATH:/usr/sbin; for program in $(1); do command -v $$program >/dev/null || missing=1; done; \
	test -z "$$missing" || { [ "$$(id -u)" = 0 ] && apt-get update -qq \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $(2) >/dev/null; } \
	|| { echo 'This needs Debian packages: apt-get install $(2)' >&2; exit 1; }

.PHONY: help run test test-pooled check bench growth chaos chaos-failover chaos-rolling pictures dev lock format clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

run: $(RUN_STAMP)  ## start it all: database, demo practice, API, worker, portal; Ctrl-C stops it
	@exec .venv/bin/officepro run --stop-with-parent $$PPID

test: $(DEV_STAMP)  ## every test except the chaos drills
	@.venv/bin/python -m pytest -n $(JOBS) --dist loadfile -m 'not chaos and not machines'

test-pooled: $(DEV_STAMP)  ## the same, the application behind PgBouncer in transaction mode
	@TEST_POOLED=1 .venv/bin/python -m pytest -n $(JOBS) --dist loadfile -m 'not chaos and not machines'

check: $(DEV_STAMP)  ## format, lint, strict types, who imports whom, house rules
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m pytest -q tests/house

bench: $(DEV_STAMP)  ## measure beside the yardsticks, on this machine in this minute
	@.venv/bin/python -m benchmarks

growth: $(DEV_STAMP)  ## the same calls on 10, 100 and 1,000 practices, and memory; SCALE=full for ten million visits
	@.venv/bin/python -m benchmarks.growth
	@.venv/bin/python -m benchmarks.memory

chaos: $(DEV_STAMP)  ## the drills that kill, pause and starve it; minutes
	@$(call debian,cc,gcc libc6-dev)
	@.venv/bin/python -m pytest -m chaos

chaos-failover: $(DEV_STAMP) $(PATRONI_STAMP)  ## the primary of three PostgreSQL under Patroni dies again and again; minutes
	@$(call debian,etcd,etcd-server)
	@.venv/bin/python -m pytest -m machines tests/chaos/test_failover.py

chaos-rolling: $(DEV_STAMP)  ## every API process is replaced under load behind HAProxy, with migrations; a minute
	@$(call debian,haproxy,haproxy)
	@.venv/bin/python -m pytest -m machines tests/chaos/test_rolling.py tests/chaos/test_haproxy_paths.py

pictures: $(DEV_STAMP)  ## take README's pictures anew: docs/images
	@PICTURES=yes .venv/bin/python -m pytest -q tests/browser/test_pictures.py

dev: $(DEV_STAMP)  ## .venv with everything a developer needs

format: $(DEV_STAMP)  ## format the code and sort the imports
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: $(DEV_STAMP)  ## choose the newest versions anew: requirements/*.txt
	.venv/bin/uv pip compile $(LOCK) -o requirements/run.txt
	.venv/bin/uv pip compile $(LOCK) --group dev --constraint requirements/run.txt -o requirements/dev.txt
	.venv/bin/uv pip compile requirements/patroni.in $(LOCKED) -o requirements/patroni.txt

clean:  ## remove .venv and caches; the data folder stays
	rm -rf .venv .patroni .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Locked for every platform, with hashes, without the address of any index.
LOCK   = pyproject.toml requirements/build.in $(LOCKED)
LOCKED = --quiet --upgrade --universal --python-version 3.11 \
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

$(PATRONI_STAMP):
	@echo 'Installing Patroni into .patroni ...'
	@$(PYTHON) -m venv --clear .patroni
	@.patroni/bin/python -m pip --disable-pip-version-check -qq install --require-hashes -r requirements/patroni.txt
	@touch $@

$(VENV_STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'officepro needs Python 3.11 or newer; name it with: make PYTHON=/path/to/python3 ...' >&2; exit 1; }
	@test '$(origin PYTHON)' != file || test $(PYTHON) = python3 || test "$$(command -v python3)" = $(PYTHON) || echo \
		'.venv is made with $(PYTHON): the python3 in your path does not say that it was built with optimisation (PYTHON=python3 takes it).'
	@$(PYTHON) -m venv --clear .venv \
		|| { echo 'Python could not make .venv; on Debian and Ubuntu, install the package python3-venv.' >&2; exit 1; }
	@touch $@
