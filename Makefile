# Everything a person runs. `make demo` and `make test` need Python 3.11 and make, and a network to the package registry.
PYTHON ?= python3.11
BIN := .venv/bin
INSTALLED := .venv/installed
# Imports are slow without compiled files, whatever the caller's environment says.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONHASHSEED := 0

.PHONY: help install demo test lint soak bench clean
help:            ## this list
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

install: $(INSTALLED)  ## make .venv with the locked versions
$(INSTALLED): requirements.lock setup.cfg pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "Python 3.11 with venv is needed (Debian: apt-get install python3.11-venv)"; exit 2; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(INSTALLED)  ## four custody days of a little market, over SFTP and through Airflow
	$(BIN)/custody demo

lint: $(INSTALLED)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint  ## all tests, with reduced seeds
	$(BIN)/python -m pytest -n 2 --dist loadfile

# The same tests with full counts: kill points, worlds, generated cases.
SOAK := tests/e2e tests/jobs tests/property tests/simulator tests/exchange
soak: $(INSTALLED)  ## full counts of seeds and kill points; results under build/soak
	mkdir -p build/soak
	CUSTODY_SEEDS=25 HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest $(SOAK) -n 2 --dist loadfile --junitxml=build/soak/results.xml

bench: $(INSTALLED)  ## ratios against named peers, into build/bench.json
	$(BIN)/python -m bench
bench-%: $(INSTALLED)
	$(BIN)/python -m bench $*

clean:           ## remove what was made (not .venv)
	rm -rf build
