# make search: everything for a first search on generated faces; make test: everything for the tests.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: search test test-fast lint bench reference docs clean

search: $(VENV)/installed
	$(VENV)/bin/python run_search.py search $(ARGS)

test: $(VENV)/installed-dev
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

# Those without processes, databases, browsers and trainings.
test-fast: $(VENV)/installed-dev
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile -m "not slow" $(ARGS)

bench: $(VENV)/installed
	$(VENV)/bin/python benchmarks/throughput.py $(ARGS)

reference: $(VENV)/installed
	$(VENV)/bin/python docs/make_reference.py

# The site, in build/site. What a link does not reach, and a page that the navigation does not name, ends it.
docs: $(VENV)/installed-docs
	$(VENV)/bin/python -m sphinx -W --keep-going --quiet -c docs -d build/doctrees . build/site
	@echo build/site/index.html

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy run_search.py spaces search ferplus_data models reports

clean:
	rm -rf $(VENV)

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "expected Python 3.11, 3.12 or 3.13, found $$($(PYTHON) --version); set PYTHON=python3.11" >&2; exit 2; }
	@echo "installing requirements.txt into $(VENV) (a few minutes, once)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt requirements-postgresql.txt requirements-ray.txt requirements-dlib.txt requirements-tracking.txt requirements-detect.txt requirements-docs.txt
	@echo "installing requirements-dev.txt into $(VENV)"
	$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed requirements-docs.txt
	@echo "installing requirements-docs.txt into $(VENV)"
	$(PIP) -r requirements-docs.txt
	@touch $@
