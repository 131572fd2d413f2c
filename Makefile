# Entry point of all tasks. Each target installs its dependencies: only Python 3.11 and make are required.
.DEFAULT_GOAL := help
SHELL  := /bin/sh
# python3, unless it was built without optimisation, which is pyenv's default: then the system's Python if it is
# suitable, which serves a quarter more requests with the same code. (docs/decisions/0018)
PYTHON ?= $(shell python3 -c 'import sys, sysconfig; \
	sys.exit("--enable-optimizations" not in sysconfig.get_config_var("CONFIG_ARGS"))' 2>/dev/null \
	|| ! /usr/bin/python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo python3 || echo /usr/bin/python3)
# Parallel test processes; each has its own database.
JOBS   ?= 2

# A stamp's name contains the checksum of the lock file and the path, so that changing either reinstalls.
checksum   = $(shell { $(1); } | cksum | cut -d ' ' -f 1)
VENV_STAMP := .venv/.made-$(call checksum,pwd)
RUN_STAMP  := .venv/.run-$(call checksum,cat pyproject.toml requirements/run.txt)
DEV_STAMP  := .venv/.dev-$(call checksum,cat pyproject.toml requirements/dev.txt)
PATRONI_STAMP := .patroni/.made-$(call checksum,pwd; cat requirements/patroni.txt)
INSTALL    := .venv/bin/python -m pip --disable-pip-version-check -qq install

# Programs and their Debian packages: installed when running as root, otherwise reported as missing.
debian = PATH=$$PATH:/usr/sbin; for program in $(1); do command -v $$program >/dev/null || missing=1; done; \
	test -z "$$missing" || { [ "$$(id -u)" = 0 ] && apt-get update -qq \
	&& DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $(2) >/dev/null; } \
	|| { echo 'This needs Debian packages: apt-get install $(2)' >&2; exit 1; }

.PHONY: help run test test-pooled check bench growth chaos chaos-failover chaos-rolling pictures dev lock format clean

help:  ## list all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

run: $(RUN_STAMP)  ## start database, demo practice, API, worker and portal; Ctrl-C stops them
	@exec .venv/bin/officepro run --stop-with-parent $$PPID

test: $(DEV_STAMP)  ## every test except the chaos drills
	@.venv/bin/python -m pytest -n $(JOBS) --dist loadfile -m 'not chaos and not machines'

test-pooled: $(DEV_STAMP)  ## the same, the application behind PgBouncer in transaction mode
	@TEST_POOLED=1 .venv/bin/python -m pytest -n $(JOBS) --dist loadfile -m 'not chaos and not machines'

check: $(DEV_STAMP)  ## format, lint, strict types, import contracts, conventions
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m pytest -q tests/house

bench: $(DEV_STAMP)  ## measure as a share of baselines that are measured at the same time on this machine
	@.venv/bin/python -m benchmarks

growth: $(DEV_STAMP)  ## the same calls on 10, 100 and 1,000 practices, and memory; SCALE=full for ten million visits
	@.venv/bin/python -m benchmarks.growth
	@.venv/bin/python -m benchmarks.memory

chaos: $(DEV_STAMP)  ## fault injection: kill, pause and overload the processes; minutes
	@$(call debian,cc,gcc libc6-dev)
	@.venv/bin/python -m pytest -m chaos

chaos-failover: $(DEV_STAMP) $(PATRONI_STAMP)  ## kill the primary of three PostgreSQL under Patroni repeatedly; minutes
	@$(call debian,etcd,etcd-server)
	@.venv/bin/python -m pytest -m machines tests/chaos/test_failover.py

chaos-rolling: $(DEV_STAMP)  ## replace every API process under load behind HAProxy, with migrations; a minute
	@$(call debian,haproxy,haproxy)
	@.venv/bin/python -m pytest -m machines tests/chaos/test_rolling.py tests/chaos/test_haproxy_paths.py

pictures: $(DEV_STAMP)  ## regenerate the screenshots of the README: docs/images
	@PICTURES=yes .venv/bin/python -m pytest -q tests/browser/test_pictures.py

dev: $(DEV_STAMP)  ## .venv with everything a developer needs

format: $(DEV_STAMP)  ## format the code and sort the imports
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: $(DEV_STAMP)  ## update locked versions to the newest: requirements/*.txt
	.venv/bin/uv pip compile $(LOCK) -o requirements/run.txt
	.venv/bin/uv pip compile $(LOCK) --group dev --constraint requirements/run.txt -o requirements/dev.txt
	.venv/bin/uv pip compile requirements/patroni.in $(LOCKED) -o requirements/patroni.txt

clean:  ## remove .venv and caches; the data folder stays
	rm -rf .venv .patroni .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Locked for every platform, with hashes, without index URLs.
LOCK   = pyproject.toml requirements/build.in $(LOCKED)
LOCKED = --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header

$(RUN_STAMP): $(VENV_STAMP)
	@echo 'Installing runtime dependencies into .venv ...'
	@$(INSTALL) --require-hashes --requirement requirements/run.txt
	@$(INSTALL) --no-build-isolation --no-deps --editable .
	@rm -f .venv/.run-* && touch $@

# dev.txt is compiled with run.txt as constraint, so installing it installs both.
$(DEV_STAMP): $(VENV_STAMP)
	@echo 'Installing development dependencies into .venv ...'
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
		|| { echo 'officepro needs Python 3.11 or newer; set it with: make PYTHON=/path/to/python3 ...' >&2; exit 1; }
	@test '$(origin PYTHON)' != file || test $(PYTHON) = python3 || test "$$(command -v python3)" = $(PYTHON) || echo \
		'.venv uses $(PYTHON): the python3 in your path was built without optimisation (PYTHON=python3 uses it anyway).'
	@$(PYTHON) -m venv --clear .venv \
		|| { echo 'Python could not create .venv; on Debian and Ubuntu, install the package python3-venv.' >&2; exit 1; }
	@touch $@
