# make demo   install into .venv, run the main job, say where the figures are
# make test   install into .venv, run the test suite in WORKERS processes of one thread each
# make check  lint, format and types
# make docs   the site in build/site, warnings are errors
# make wheel  a wheel in dist/, installed apart from this folder, runs a small sweep
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= results/quick
WORKERS ?= 2

.PHONY: demo test check docs wheel clean

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/scmc-comm sweep quick --out $(OUT) --jobs 2

test: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,docs]'
	$(BIN)/python -m sphinx -W --keep-going -b html docs build/site

wheel: $(VENV)/installed
	$(BIN)/python -m benchmarks.clean_install --wheel dist

clean:
	rm -rf $(VENV) results build dist *.egg-info
