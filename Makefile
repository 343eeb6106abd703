# Everything a person or a CI machine does with this repository. Needs Python >= 3.11, Node >= 20,
# make and git; all else is installed into .venv and node_modules, inside this folder.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# What is installed already; a newer pyproject.toml or constraints.txt installs again.
STAMPS := $(VENV)/stamps

# `make demo BROWSER=none` prints the address and opens nothing.
BROWSER ?=

.PHONY: help
help:
	@echo "make demo     open JupyterLab on notebooks/quickstart.ipynb (BROWSER=none: print its address)"
	@echo "make test     install what tests need, Chromium included, and run every check and test"
	@echo "make quick    the tests without those that start a browser or a kernel, or install versions"
	@echo "make soak     the long forms of the tests of running: kills, replays, a million steps"
	@echo "make check    linters, type checkers and import rules only"
	@echo "make format   let the formatters rewrite what they can"
	@echo "make notebooks  run the notebooks again and keep their outputs"
	@echo "make bench    the benchmarks in their quick forms"
	@echo "make screenshots  pictures of the designer in every state, into .screenshots/"
	@echo "make watch    rebuild the front end at every change"
	@echo "make clean    remove what was built and cached; make distclean: the environments too"

# ------------------------------------------------------------------------------------- the demo

# JupyterLab's own folders, so that the demo neither sees nor changes the person's settings.
JUPYTER := .jupyter
JUPYTER_FOLDERS := JUPYTER_CONFIG_DIR="$(CURDIR)/$(JUPYTER)/config" \
	JUPYTER_DATA_DIR="$(CURDIR)/$(JUPYTER)/data" \
	JUPYTER_RUNTIME_DIR="$(CURDIR)/$(JUPYTER)/runtime" \
	JUPYTERLAB_SETTINGS_DIR="$(CURDIR)/$(JUPYTER)/settings" \
	JUPYTERLAB_WORKSPACES_DIR="$(CURDIR)/$(JUPYTER)/workspaces" \
	IPYTHONDIR="$(CURDIR)/$(JUPYTER)/ipython"
NOTIFICATIONS := $(JUPYTER)/settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings

.PHONY: demo
demo: $(STAMPS)/notebook bundle $(NOTIFICATIONS)
	@$(JUPYTER_FOLDERS) $(BIN)/jupyter lab --log-level=WARN \
		--ServerApp.root_dir="$(CURDIR)" --LabApp.default_url=/lab/tree/notebooks/quickstart.ipynb \
		$(if $(filter none,$(BROWSER)),--no-browser) $(if $(filter 0,$(shell id -u)),--allow-root)

# Without this, JupyterLab asks at its first start whether it may fetch news.
$(NOTIFICATIONS):
	@mkdir -p "$(@D)"
	@echo '{"fetchNews": "false", "checkForUpdates": false}' > "$@"

# ------------------------------------------------------------------------------ checks and tests

# Tests that start programs of their own: mostly they wait for these, so one more runs at a time.
ALONE := (browser or kernel or versions)

# The tests start hundreds of processes: without compiled modules each would parse the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: test
test: check bundle js-test chromium
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not $(ALONE) and not soak"
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal -m "$(ALONE) and not soak"

.PHONY: quick
quick: $(STAMPS)/dev bundle js-test
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not $(ALONE) and not soak"

# Minutes to an hour: kills, replays, strange messages, a million steps; one line of summary each.
.PHONY: soak
soak: $(STAMPS)/dev bundle chromium
	$(BIN)/python -m pytest -m soak

.PHONY: check
check: $(STAMPS)/dev $(STAMPS)/node
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	npm run --silent check

.PHONY: js-test
js-test: $(STAMPS)/node
	npm run --silent test

.PHONY: format
format: $(STAMPS)/dev $(STAMPS)/node
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format
	npm run --silent format

# -------------------------------------------------------------------------------- the front end

# Always, because it takes a tenth of a second and `make watch` leaves a readable bundle behind.
.PHONY: bundle
bundle: $(STAMPS)/node
	npm run --silent build

.PHONY: watch
watch: $(STAMPS)/node
	npm run --silent watch

# ------------------------------------------------------------------------------ the environments

$(STAMPS)/venv:
	@command -v "$(PYTHON)" > /dev/null || { \
		echo "lrwidget needs Python >= 3.11 and found no '$(PYTHON)'." \
			"Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "lrwidget needs Python >= 3.11, and '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1)." \
			"Name a newer one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	"$(PYTHON)" -m venv "$(VENV)"
	@# JupyterLab runs a CommonJS script from in here, which must not inherit our "type": "module".
	@echo '{"type": "commonjs"}' > "$(VENV)/package.json"
	@mkdir -p "$(STAMPS)" && touch "$@"

# npm is left out: here the bundle has a rule of its own.
PIP_INSTALL := HATCH_JUPYTER_BUILDER_SKIP_NPM=1 $(BIN)/python -m pip install \
	--quiet --disable-pip-version-check --constraint constraints.txt

# The build tools come first, so that the build runs with them and not in an environment of its own.
$(STAMPS)/notebook: $(STAMPS)/venv pyproject.toml constraints.txt package.json
	$(PIP_INSTALL) hatchling hatch-jupyter-builder editables
	$(PIP_INSTALL) --no-build-isolation --editable '.[notebook]'
	@touch "$@"

$(STAMPS)/dev: $(STAMPS)/notebook
	$(PIP_INSTALL) --no-build-isolation --editable '.[notebook,checkpoint,dev]'
	@touch "$@"

$(STAMPS)/node: $(STAMPS)/venv package.json package-lock.json | node-version
	npm ci
	@touch "$@"

.PHONY: node-version
node-version:
	@command -v node > /dev/null && command -v npm > /dev/null || { \
		echo "lrwidget needs Node >= 20 with npm to build its front end, and found none." \
			"Install it from nodejs.org or from your system's packages." >&2; exit 1; }
	@node -e 'process.exit(Number.parseInt(process.versions.node) < 20 ? 1 : 0)' || { \
		echo "lrwidget needs Node >= 20 to build its front end, and found $$(node --version)." \
			"Install a newer one from nodejs.org." >&2; exit 1; }

# Finds a Chromium or says how to get one; installs it where that is safe (Debian, as root).
.PHONY: chromium
chromium: $(STAMPS)/dev
	@$(BIN)/python tests/browser/chromium.py --install

# ------------------------------------------------------------------------ notebooks, benchmarks

# Their outputs are committed: a picture of each widget, and no widget state.
.PHONY: notebooks
notebooks: $(STAMPS)/dev bundle
	JAX_PLATFORMS=cpu $(BIN)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.store_widget_state=False \
		--ExecutePreprocessor.record_timing=False notebooks/*.ipynb

# Minutes; `make bench QUICK=` takes the long forms, whose tables are committed.
QUICK := --quick
.PHONY: bench
bench: $(STAMPS)/dev bundle chromium
	$(BIN)/python benchmarks/import_time.py $(QUICK)
	$(BIN)/python benchmarks/canvas.py $(QUICK)
	$(BIN)/python benchmarks/loop.py $(QUICK)
	$(BIN)/python benchmarks/answer.py $(QUICK)
	$(BIN)/python benchmarks/sweep.py $(QUICK)
	$(BIN)/python benchmarks/live.py $(QUICK)
	$(BIN)/python benchmarks/adaptive.py $(QUICK)
	$(BIN)/python benchmarks/advice.py $(QUICK)

# STATES="gallery error" takes only those.
.PHONY: screenshots
screenshots: $(STAMPS)/dev bundle chromium
	$(BIN)/python -m tests.browser.screenshots $(STATES)

# -------------------------------------------------------------------------------------- clearing

.PHONY: clean
clean:
	rm -rf lrwidget/static dist .jupyter .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find lrwidget tests benchmarks js -name __pycache__ -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean
	rm -rf $(VENV) node_modules
