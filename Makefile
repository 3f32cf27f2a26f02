# Everything a person runs. `make demo` and `make test` need Python 3.11 and make, and a network to the package registry.
PYTHON ?= python3.11
BIN := .venv/bin
INSTALLED := .venv/installed
# Imports are slow without compiled files, whatever the caller's environment says.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONHASHSEED := 0

.PHONY: help install demo onboarding up down test lint soak crash-matrix bench detectors bench-large freeze-cases freeze-world clean debian-packages cluster-up cluster-status cluster-down
help:            ## this list
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: $(INSTALLED)  ## make .venv with the locked versions
$(INSTALLED): requirements.lock setup.cfg pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "Python 3.11 with venv is needed (Debian: apt-get install python3.11-venv)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(INSTALLED)  ## four custody days of a little market, over SFTP and through Airflow
	$(BIN)/custody demo

up: $(INSTALLED)  ## Airflow's services and the SFTP drop on the demo's data; returns when they run
	$(BIN)/python -m cluster.local up
down: $(INSTALLED)  ## stop what `make up` started
	$(BIN)/python -m cluster.local down

onboarding: $(INSTALLED)  ## a new platform from nothing to its first balanced day, on the machine's sshd, as a transcript (as root)
	$(BIN)/python -m pytest -q -s tests/e2e/test_onboarding.py

lint: $(INSTALLED)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Tests that start real servers share them in one process; a file stays in one process; the order is that of tests/conftest.py.
test: lint  ## all tests, with reduced seeds (the real parts as root, after make debian-packages)
	$(BIN)/python -m pytest -m "not real" -n 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -m real -n 2 --dist loadfile --no-loadscope-reorder

# The real parts: HBase, HDFS, PostgreSQL, OpenSSH, Apache Spark and Airflow's services, on loopback and without containers.
NAME ?= default
# The demo's market: its schedule ends with it. A bank's does not (LAST_DATE=).
GO_LIVE ?= 2019-12-30
LAST_DATE ?= 2020-01-02
cluster-up: $(INSTALLED)  ## start the real parts and an instance on them (as root; NAME=, GO_LIVE=, LAST_DATE=)
	$(BIN)/python -m cluster up --name $(NAME) --go-live $(GO_LIVE) $(if $(LAST_DATE),--last-date $(LAST_DATE))
cluster-status: $(INSTALLED)  ## whether each part can be used
	$(BIN)/python -m cluster status --name $(NAME)
cluster-down: $(INSTALLED)  ## stop them in order and take everything away again
	$(BIN)/python -m cluster down --name $(NAME)
debian-packages: $(INSTALLED)  ## install what the real parts lack on this machine (as root)
	@packages="$$($(BIN)/python -m cluster packages)" && if [ -n "$$packages" ]; then \
	  apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends $$packages; fi

# The same tests with full counts: kill points, worlds, generated cases.
SOAK := tests/e2e tests/dags/test_tasks_cleared.py tests/jobs tests/property tests/simulator tests/exchange $(wildcard tests/services/test_*_killed.py)
SOAK_REAL := tests/e2e/test_parts_killed.py tests/jobs/test_engines_agree.py tests/exchange/test_mutated_files_over_sshd.py tests/pages/test_pages_in_airflow.py
CRASH := tests/e2e/test_ledger_crash_matrix.py
soak: $(INSTALLED)  ## full counts of seeds and kill points; results under build/soak
	mkdir -p build/soak
	CUSTODY_SEEDS=25 CUSTODY_WORLD_SEEDS=200 HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -m "not real" $(SOAK) --ignore=$(CRASH) -n 2 --dist loadfile --junitxml=build/soak/results.xml; \
	tests=$$?; $(BIN)/python tests/kit/score_table.py build/soak/results.xml --out build/soak/score.json \
	  && $(BIN)/python tests/kit/fuzz_table.py build/soak/results.xml --out build/soak/fuzz.json \
	  && $(BIN)/python tests/kit/tamper_table.py build/soak/results.xml --out build/soak/tampering.json && exit $$tests
	CUSTODY_SEEDS=5 HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -m real $(SOAK_REAL) --junitxml=build/soak/real.xml; \
	tests=$$?; $(BIN)/python tests/kit/permission_table.py build/soak/real.xml --out build/soak/permissions.json && exit $$tests
	$(MAKE) crash-matrix
# The matrix is printed whatever failed, and its last word counts.
crash-matrix: $(INSTALLED)  ## post and project killed at a hundred points, half of them on HBase; build/soak/crash_matrix.json
	mkdir -p build/soak
	CUSTODY_SEEDS=25 $(BIN)/python -m pytest -m "not real" $(CRASH) -n 2 --dist load --junitxml=build/soak/crash.xml; \
	CUSTODY_SEEDS=50 $(BIN)/python -m pytest -m real $(CRASH) --junitxml=build/soak/crash_real.xml; \
	$(BIN)/python tests/kit/crash_matrix.py build/soak/crash.xml build/soak/crash_real.xml --out build/soak/crash_matrix.json

# Worlds by whose seeds no figure of a rule was chosen: say others after a rule has been changed.
SEEDS ?= 505 707 808 909
detectors: $(INSTALLED)  ## recall, precision and curves of each behaviour over worlds of these SEEDS (a minute of processor time each); build/detectors/table.json
	$(BIN)/python tests/kit/detector_table.py --seeds $(SEEDS) --out build/detectors

bench: $(INSTALLED)  ## ratios against named peers, into build/bench.json
	$(BIN)/python -m bench
bench-large: $(INSTALLED)  ## ten million rows, five thousand organisations: making a world, landing, posting, projecting, the use of funds, reconciling (hours, 40 GB of disk)
	$(BIN)/python -m bench simulate land post project funds --rows 10000000 --runs 1 --out build/bench-large.json
	$(BIN)/python -m bench reconcile --rows 5000000 --out build/bench-large-reconcile.json
	$(BIN)/python -m bench reconcile_growth --rows 10000000 --runs 1 --out build/bench-large-growth.json
	$(BIN)/python -m bench sweep --rows 5000 --runs 1 --out build/bench-large-sweep.json
bench-%: $(INSTALLED)
	$(BIN)/python -m bench $*

freeze-cases: $(INSTALLED)  ## the snapshot of a case of each kind anew, after a change that was meant
	PYTHONPATH=tests/kit $(BIN)/python tests/jobs/freeze_cases.py

freeze-world: $(INSTALLED)  ## the frozen small world anew, after a change of the simulator that was meant
	$(BIN)/python tests/frozen_world/freeze.py

clean:           ## stop what `make up` started and remove what was made (not .venv, not the jars that Maven fetched)
	@if [ -d build/up ]; then $(BIN)/python -m cluster.local down; fi
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name jars -exec rm -rf {} +; fi
