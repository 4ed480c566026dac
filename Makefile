# `make serve` and `make test` make their own environment in .venv when there is none.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed
ENGINE ?= .venv-engine
BENCHMARKS := overhead budget strategies aggregation routing decomposition faults mishaps engine engine_gpu service_times scale cache cluster \
	retrieval zeroeval small_models batch batch_memory

.DEFAULT_GOAL := help
.PHONY: help serve test test-fast test-engine test-gpu test-cluster lint format constraints clean $(addprefix bench-,$(BENCHMARKS))

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '  make bench-NAME     Run a benchmark: %s\n' '$(BENCHMARKS)'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv .venv

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

serve: $(STAMP) ## Start the server (ARGS='--port 8001' to change something)
	@exec $(BIN)/mixture serve $(ARGS)

test: $(STAMP) ## Run all tests
	$(BIN)/python -m pytest $(ARGS)

test-fast: $(STAMP) ## Run the tests that start no server
	$(BIN)/python -m pytest tests/unit tests/contract $(ARGS)

$(ENGINE)/.installed: pyproject.toml tests/engine/install.py
	$(PYTHON) tests/engine/install.py $(ENGINE)
	@touch $@

test-gpu: $(STAMP) ## Run the tests with an engine on a GPU, where there is one (ENGINE=... names an environment with vLLM)
	@if [ -x $(ENGINE)/bin/python ]; then $(ENGINE)/bin/python -m pytest tests/gpu $(ARGS); else $(BIN)/python -m pytest tests/gpu $(ARGS); fi

test-engine: $(ENGINE)/.installed ## Run the tests with real vLLM engines (ENGINE=.venv-engine is made for them)
	$(ENGINE)/bin/python -m pytest tests/engine $(ARGS)

test-cluster: $(STAMP) ## Run the tests with several machines (network namespaces: Linux and root)
	MIXTURE_TEST_CLUSTER=1 $(BIN)/python -m pytest tests/cluster/test_nodes.py $(ARGS)

lint: $(STAMP) ## Ruff, its formatter, and strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy mixture actors deployments commands benchmarks

format: $(STAMP) ## Put the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(addprefix bench-,$(BENCHMARKS)): bench-%: $(STAMP)
	$(BIN)/python -m benchmarks.$* $(ARGS)

constraints: $(STAMP) ## Write the installed versions to constraints.txt
	$(BIN)/python -m pip freeze --exclude-editable | sed -E 's/^(torch==[^+]*)\+.*/\1/; / @ /d' > constraints.txt

clean: ## Remove the environment and what tools leave behind
	rm -rf .venv .venv-engine build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
