# The two commands: `make demo` (install, add the sample library, ask a real question) and `make test`.
# Everything is idempotent: what is done is not done again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_HOME := .demo
RESULTS := .results
# What `make eval` measures: SUITE, or SUITE.PART
EVALS := retrieval retrieval.distractors qa refusal repair loop memory critic speed speed.verifier
STAMP_CORE := $(VENV)/.core
STAMP_DEV := $(VENV)/.dev
STAMP_GGUF := $(VENV)/.gguf
TORCH := torch==2.13.0
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu
PIP := $(BIN)/python -m pip --disable-pip-version-check
# llama.cpp without the parts that are not used: its server tools and its picture models.
LLAMA_FLAGS := -DLLAVA_BUILD=OFF -DMTMD_BUILD=OFF

.PHONY: demo test test-slow lint core gguf dev eval eval-data eval-quick clean

demo: core
	@echo
	@AGENT_HOME=$(DEMO_HOME) $(BIN)/agent add evals/data/sample
	@echo '$$ agent ask "How many days from the date the contract was signed to the deadline for giving notice?"'
	@AGENT_HOME=$(DEMO_HOME) $(BIN)/agent ask --trace \
	  "How many days from the date the contract was signed to the deadline for giving notice?"
	@echo
	@echo '$$ agent ask "谁说最容易被忽略的是保证？"'
	@AGENT_HOME=$(DEMO_HOME) $(BIN)/agent ask "谁说最容易被忽略的是保证？"
	@echo
	@$(MAKE) --no-print-directory gguf
	@echo
	@echo 'Now with your own files:  . $(BIN)/activate && agent add PATH && agent ask "..."'

test: dev gguf
	$(BIN)/python -m pytest -q -n auto --dist worksteal

test-slow: dev gguf
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m slow

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# All of it over larger data: hours on two cores. Cut short, it goes on where it was; what was measured with the same
# data, settings, versions and code is not measured again, and what the data have no files for is left out. `clean`
# takes the results away.
eval: $(EVALS:%=$(RESULTS)/%.json)
	$(BIN)/python -m evals report $$(for one in $^; do test ! -e $$one || echo $$one; done) --data "$(DATA)" --html $(RESULTS)/report.html --markdown evals/RESULTS.md

$(RESULTS)/%.json: eval-data core
	$(BIN)/python -m evals $(subst ., --part ,$*) --data "$(DATA)" --json $@ --keep

eval-data:
	@test -d "$(DATA)" || { echo "which data? make eval DATA=FOLDER (evals/data/README.md says what is in it)" >&2; exit 2; }
	@mkdir -p $(RESULTS)

.PRECIOUS: $(RESULTS)/%.json
.NOTPARALLEL:  # times are measured

eval-quick: core
	$(BIN)/python -m evals gate

core: $(STAMP_CORE)
dev: $(STAMP_DEV)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Toulmin needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

# torch first, as a CPU build: a plain install on Linux would download gigabytes of CUDA.
$(STAMP_CORE): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing the core (about two minutes the first time)"
	@$(BIN)/python -c 'import importlib.metadata as m, sys; sys.exit(m.version("torch").split("+")[0] != "2.13.0")' 2>/dev/null \
	  || $(MAKE) --no-print-directory torch
	$(PIP) install -q -c constraints.txt -e .
	$(BIN)/agent setup
	@touch $@

# The build that pip finds by itself where it says it is for the CPU, else PyTorch's CPU index; on macOS the
# registry's own build has no CUDA; where there is an NVIDIA GPU the registry's build is what is wanted.
.PHONY: torch
torch:
	@if [ "$$(uname -s)" != Linux ] || command -v nvidia-smi >/dev/null 2>&1; then $(PIP) install -q $(TORCH); \
	elif $(PIP) install --no-deps --dry-run $(TORCH) 2>/dev/null | grep -q '+cpu'; then $(PIP) install -q $(TORCH); \
	elif $(PIP) install -q --index-url $(TORCH_CPU_INDEX) --extra-index-url https://pypi.org/simple $(TORCH)+cpu; then :; \
	else echo "torch: no CPU build to be had: reach $(TORCH_CPU_INDEX), or install torch 2.13.0 yourself" >&2; exit 1; fi

$(STAMP_DEV): $(STAMP_CORE) pyproject.toml constraints.txt
	$(PIP) install -q -c constraints.txt $$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"])')
	@touch $@

# Without a compiler everything but GGUF models works, so this never fails the rest.
gguf: core
	@if [ -e $(STAMP_GGUF) ] || $(BIN)/python -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("llama_cpp"))'; then :; \
	else \
	  echo "compiling llama.cpp for GGUF models (5 to 7 minutes on two cores; Ctrl-C leaves it out)"; \
	  ( CMAKE_ARGS="$(LLAMA_FLAGS) $$CMAKE_ARGS" $(PIP) install --progress-bar off -c constraints.txt "llama-cpp-python>=0.3.36,<0.4" > $(VENV)/gguf.log 2>&1 \
	    && touch $(STAMP_GGUF) ) & pid=$$!; \
	  seconds=0; while kill -0 $$pid 2>/dev/null; do sleep 5; seconds=$$((seconds + 5)); \
	    if [ $$((seconds % 30)) -eq 0 ]; then echo "  still compiling, $$seconds s"; fi; done; \
	  wait $$pid && echo "llama.cpp is ready: agent ask --model FILE.gguf ..." \
	    || echo "GGUF models will not work: llama.cpp did not compile (is there a C++ compiler? see $(VENV)/gguf.log); everything else does"; \
	fi

clean:
	rm -rf $(DEMO_HOME) $(RESULTS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
