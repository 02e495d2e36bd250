# `make` explains itself. PYTHON names the interpreter that the environment is made from.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
SCORES := scores

.DEFAULT_GOAL := help
.PHONY: help demo scoreboard test env format lint types imports tests bench gpu clean

help:  ## Print this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

demo: env  ## The main job on the made corpus: clips -> features -> a short search -> a result
	$(BIN)/python jobs/featurize.py --store $(DEMO) --source sample:actors=10,takes=16
	$(BIN)/python jobs/tune.py --store $(DEMO) --family svm,xgboost --samples 4 --protocol luna

scoreboard: env  ## SOURCE=<clips> [FACE=<csv>] [NETWORKS=1]: features, every search, and the table beside published numbers
	$(BIN)/python jobs/scoreboard.py --store $(SCORES) --source "$(or $(SOURCE),$(error SOURCE=<folder or zip of clips> is missing))" $(if $(FACE),--face "$(FACE)") $(if $(NETWORKS),--networks) || test $$? = 3

test: env format lint types imports tests  ## Every check: format, lint, strict types, walls between packages, tests

env: $(VENV)/.made  ## The environment in .venv (made by uv, which is fetched where it is missing)

$(VENV)/.made: pyproject.toml uv.lock
	@command -v uv >/dev/null || test -x .uv/bin/uv || { $(PYTHON) -m venv .uv && .uv/bin/pip install --quiet uv; }
	PATH="$$PATH:$(CURDIR)/.uv/bin" uv sync --locked --compile-bytecode --python $(PYTHON) --quiet
	@$(BIN)/python -c "import ctypes; ctypes.CDLL('libgomp.so.1')" 2>/dev/null || test "$$(uname)" != Linux \
	  || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get install -qy libgomp1; } \
	  || echo "LightGBM needs the OpenMP runtime: install the system package libgomp1 (Debian) or libgomp (Fedora)"
	@touch $@

format: env  ## Is everything formatted? (`.venv/bin/ruff format` mends it)
	$(BIN)/ruff format --check --quiet

lint: env  ## Lint
	$(BIN)/ruff check --quiet

types: env  ## Strict types
	$(BIN)/mypy

imports: env  ## The walls between the packages
	$(BIN)/lint-imports --no-cache

# The test of `ray submit` looks for uv; it may be the one that `make env` fetched.
tests: env  ## The tests; ARGS="-k store" chooses
	PATH="$$PATH:$(CURDIR)/.uv/bin" $(BIN)/pytest $(or $(ARGS),-n 2 --dist loadgroup)

bench: env  ## Speed and memory beside what one would do otherwise (many minutes)
	$(BIN)/python tests/benchmarks/run.py

gpu: env  ## Swap the CPU builds of TensorFlow and XGBoost for those that use a GPU
	$(BIN)/python -c "import tensorflow, xgboost; print(f'tensorflow[and-cuda]=={tensorflow.__version__}\nxgboost=={xgboost.__version__}')" > $(VENV)/gpu.txt
	PATH="$$PATH:$(CURDIR)/.uv/bin" uv pip uninstall --quiet tensorflow-cpu xgboost-cpu
	PATH="$$PATH:$(CURDIR)/.uv/bin" uv pip install --quiet -r $(VENV)/gpu.txt

clean:  ## Remove the environment, caches and the demo's store
	rm -rf $(VENV) .uv $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis
