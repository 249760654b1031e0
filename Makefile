# On a fresh machine, start with `make demo` or `make test`. The other targets are for development.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup wheel wheel-pythons servers demo test test-long undo-storm storm load lint format bench lock schemas clean compose images-offline stack stack-down

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) servers ## install Python packages (hash-checked) and build Toxiproxy for native runs

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Aguante needs Python 3.11 or newer, found " + sys.version.split()[0] + ": set PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "cannot create a venv: on Debian and Ubuntu run 'apt-get install python3-venv'"; exit 1; }
	@echo "Installing Python packages (once) ..."
	@# uv takes seconds where pip takes a minute; if uv cannot run, pip does the same, with hashes checked
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r tools/uv.txt && \
	 $(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements.txt || \
	 $(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

servers: $(STAMP) ## find toxiproxy-server, or build the pinned version once
	@$(BIN)/python -m aguante.runtimes.servers toxiproxy

demo: setup ## run one experiment on the real system, print the verdict, write the report
	$(BIN)/aguante run chaos-experiments/payments-slow.yaml

test: setup ## run all tests but the long ones, on two workers (tests/side_by_side.py lists what runs alone)
	$(BIN)/python -m pytest -n 2

test-long: setup ## run the tests marked long: containers, storms, long runs; each mark gives its reason
	$(BIN)/python -m pytest -n 2 -m long

undo-storm: setup ## stop and kill 120 runs, on own and attached testbeds, at random moments; check that no fault remains
	$(BIN)/python -m pytest -m nightly -k undo_storm tests/e2e

storm: setup ## N=2000 reservations while links break and services are killed, then an audit; SEED=n repeats one
	$(BIN)/python -m stress.storm --reservations $(or $(N),2000) $(if $(SEED),--seed $(SEED))

EVERYTHING := reserve=0.55 read_event=0.2 read_reservation=0.1 reserve_sold_out=0.05 reserve_declined=0.05 reserve_bad=0.05

load: setup ## load without a fault, checked against thresholds; RATE=60 DURATION=30 PROFILE=mixed WORKERS=1 ARGS="--to 200"
	$(BIN)/aguante load --ci --rate $(or $(RATE),60) --duration $(or $(DURATION),30) --profile $(or $(PROFILE),mixed) \
		--workers $(or $(WORKERS),1) $(EVERYTHING:%=--mix %) --expect loadtests/thresholds.yaml $(ARGS)

wheel: $(STAMP) ## build dist/aguante-*.whl and the source distribution; docs/installing.md says how to install them
	@rm -rf dist
	@$(BIN)/uv build -q --no-build-isolation --python $(BIN)/python -o dist
	@ls dist/*

wheel-pythons: setup ## install the wheel on newer Pythons (Debian's, in a chroot; as root, with mmdebstrap) and use it
	$(BIN)/python -m pytest -m nightly tests/integration/test_wheel_pythons.py

lint: $(STAMP) ## ruff and mypy, as CI runs them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## let ruff format and fix what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

compose: $(STAMP) ## install Docker's Compose plugin for this user, unless a recent one exists
	@$(BIN)/python -m offline compose

images-offline: $(STAMP) ## build every image from package mirrors, without a container registry
	@$(BIN)/python -m offline images

# Grafana's image cannot be built from packages: GRAFANA=no omits it.
stack: compose ## start the whole system in containers, until `make stack-down`; GRAFANA=no omits Grafana
	@$(BIN)/python -m offline stack $(if $(filter no,$(GRAFANA)),--without-grafana)

stack-down: ## stop and remove what `make stack` started, including data
	docker compose --profile '*' down --volumes

bench: setup ## run the benchmarks, each with a reference in the same run: throughput, startup, open loop, analysis
	$(BIN)/python -m benchmarks.stack
	$(BIN)/python -m benchmarks.boot
	$(BIN)/python -m benchmarks.open_loop
	$(BIN)/python -m benchmarks.analysis

lock: ## resolve the dependencies again, with hashes and without index URLs
	$(BIN)/uv pip compile pyproject.toml --group dev --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header -q -o requirements.txt
	for image in services/requirements.in:services "../pyproject.toml --all-extras:runner"; do \
		$(BIN)/uv pip compile docker/$${image%%:*} -c requirements.txt --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url --no-header --no-annotate -q \
			-o docker/$${image##*:}/requirements.txt || exit 1; done
	grep -A 30 '^uv==' requirements.txt | awk '/^uv==/ || /^    --hash/ {print; next} NR > 1 {exit}' | sed '$$s/ \\$$//' > tools/uv.txt

clean: ## remove everything created here (but not the shared cache of servers)
	rm -rf $(VENV) runs dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
