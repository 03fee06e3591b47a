# Each target prints what it does; `make` alone lists them. Everything happens inside .venv.
PYTHON ?= python3
BIN := .venv/bin
TORCH := torch==2.13.0
export TF_CPP_MIN_LOG_LEVEL ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help test test-torch book lint lab results bench lock clean
help:
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

# Kernels warn, one after another, that nothing is encrypted between them and their client on the same machine.
.venv/ready: requirements.lock pyproject.toml
	@echo "== creating .venv from requirements.lock (the first time takes a minute or two)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@mkdir -p .venv/etc/ipython
	@echo "c.IPKernelApp.log_level = 'ERROR'" > .venv/etc/ipython/ipython_kernel_config.py
	@touch $@

test: .venv/ready ## run the tests on TensorFlow, then on JAX
	@echo "== tests on TensorFlow"
	@KERAS_BACKEND=tensorflow $(BIN)/python -m pytest
	@echo "== tests on JAX"
	@KERAS_BACKEND=jax JAX_ENABLE_X64=1 JAX_PLATFORMS=cpu $(BIN)/python -m pytest -m "not tensorflow_only and not one_backend"

# PyTorch comes as a CPU build or as a CUDA build with the same number, so no hash can stand for it in the lock; what the
# CPU build needs is there.
test-torch: .venv/ready ## run the tests on PyTorch, and the comparisons of all three backends
	@echo "== installing $(TORCH)"
	@$(BIN)/pip install --quiet "$(TORCH)"
	@echo "== tests on PyTorch"
	@KERAS_BACKEND=torch $(BIN)/python -m pytest -m "not tensorflow_only and not one_backend"
	@echo "== PyTorch as an oracle for TensorFlow, and equal noise on all three backends"
	@KERAS_BACKEND=tensorflow $(BIN)/python -m pytest tests/test_torch_agrees.py tests/test_same_noise.py tests/book/test_cost.py

# jupyter-cache and Sphinx look at a page's own text only, so what they keep is dropped whenever code that the pages
# import, a result that they read, or what is prepared in the folder of their data changes.
SOURCES = $(shell find keras_rectifiers book/reruns book/extensions book/plans book/results savedmodels -name '*.py' -o -name '*.json*' | sort) requirements.lock
PREPARED = find "$${TFDS_DATA_DIR:-$$HOME/tensorflow_datasets}" -name dataset_info.json 2>/dev/null | sort
book: .venv/ready ## run every chapter and build the HTML pages
	@mkdir -p book/_build
	@{ cat $(SOURCES); $(PREPARED); } | cksum > book/_build/sources.now
	@cmp -s book/_build/sources.now book/_build/sources || { \
	    echo "== code or results changed: dropping the kept runs of the chapters"; \
	    rm -rf book/_build/.jupyter_cache book/_build/.doctrees book/_build/html book/_build/jupyter_execute; }
	@mv book/_build/sources.now book/_build/sources
	@echo "== running the chapters and building the pages"
	@cd book && KERAS_BACKEND=tensorflow PATH="$(CURDIR)/$(BIN):$$PATH" ../$(BIN)/python -m extensions.run_pages
	@PATH="$(CURDIR)/$(BIN):$$PATH" KERAS_BACKEND=tensorflow \
	    $(BIN)/jupyter-book build --warningiserror --nitpick --keep-going --quiet book
	@cd book && ../$(BIN)/python -m extensions.built_pages
	@echo "The book is at $(CURDIR)/book/_build/html/index.html"

lint: .venv/ready ## check style and types
	@echo "== ruff and mypy"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/python tools/lint_pages.py && $(BIN)/mypy

# A page opens as a notebook by a click, and JupyterLab asks nothing of the network.
define LAB_SETTINGS
{"@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Jupytext Notebook", "myst": "Jupytext Notebook"}},
 "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}
endef
export LAB_SETTINGS
lab: .venv/ready ## open the chapters in JupyterLab, to change a line and run them
	@echo "== installing JupyterLab"
	@$(BIN)/pip install --quiet --no-build-isolation -e '.[lab]'
	@mkdir -p .venv/share/jupyter/lab/settings
	@echo "$$LAB_SETTINGS" > .venv/share/jupyter/lab/settings/overrides.json
	@cd book && PYTHONPATH="$(CURDIR)/book" KERAS_BACKEND=tensorflow PATH="$(CURDIR)/$(BIN):$$PATH" jupyter lab

CHAPTERS = rectifiers boltzmann norb faces sparsity smoothness sentiment six_times_faster maxout leaky_family initialisation prelu elu elu_convnet crelu revisited serving data
results: .venv/ready ## rerun the recorded experiments at full scale (hours), resuming trial by trial
	@echo "== recording the experiments in book/results and the best networks in savedmodels"
	@cd book && for chapter in $(CHAPTERS); do ../$(BIN)/python -m reruns $$chapter --scale paper || exit; done

bench: .venv/ready ## time every unit and its peers on this machine (an hour and a half) and record it in book/results/cost.jsonl
	@echo "== timing on TensorFlow, JAX and, where it is installed, PyTorch; leave the machine alone meanwhile"
	@cd book && ../$(BIN)/python -m reruns cost --scale paper --anew

lock: .venv/ready ## write requirements.lock anew from pyproject.toml
	@echo "== resolving"
	@printf 'filelock\nfsspec\nnetworkx\nsympy\nbackports-strenum<1.3\n' | $(BIN)/uv pip compile pyproject.toml - --universal --upgrade \
	    --generate-hashes --extra book --extra serving --extra test --extra dev --no-header --no-emit-index-url --no-annotate \
	    --quiet --output-file requirements.lock

clean: ## remove .venv and everything that was built
	@echo "== removing .venv and book/_build"
	@rm -rf .venv book/_build
