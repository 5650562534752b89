# `make repro` and `make test` are all most people need; `make help` lists the rest.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup repro residual residual-plan residual-results experiments plan estimate test test-all lint readme screenshots results errors cluster seeds sweep bench verify advisories lock clean

# A stage's `python` must be the one with the pinned packages.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONUTF8 := 1

# GPU=1 installs TensorFlow's CUDA libraries as well; an environment that has them keeps them.
GPU ?= $(if $(wildcard .venv/.installed-gpu),1)
REQUIREMENTS := requirements/$(if $(GPU),gpu,dev).txt
INSTALLED := .venv/.installed-$(if $(GPU),gpu,dev)

help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(INSTALLED) ## Create .venv and install the pinned requirements (GPU=1: with CUDA)

$(INSTALLED): $(REQUIREMENTS) pyproject.toml
	@python=$${PYTHON:-}; for candidate in $$python python3.13 python3.12 python3.11 python3; do \
	  if $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	  then python=$$candidate; break; fi; python=; done; \
	[ -n "$$python" ] || { echo "setup: needs Python 3.11, 3.12 or 3.13; install one or name it: make setup PYTHON=/path/to/python3.12"; exit 1; }; \
	echo "setup: creating .venv with $$($$python --version)"; $$python -m venv --clear .venv
	@echo "setup: installing $$(grep -c == $(REQUIREMENTS)) pinned packages from $(REQUIREMENTS); a few minutes"
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(REQUIREMENTS)
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@.venv/bin/python -m deepfake_ensemble.workflow.vega
	@touch $@
	@echo "setup: done; for dvc by hand: source .venv/bin/activate"

repro: $(INSTALLED) ## Rebuild what is not up to date, for the active profile (VERBOSE=1: with all that is said)
	@python -m deepfake_ensemble.studies.ensemble.params && python -m deepfake_ensemble.workflow.repro

residual: $(INSTALLED) ## The same for the second study, in the folder residual
	@cd residual && export PYTHONPATH=src && python -m deepfake_ensemble.studies.residual.params && \
	  python -m deepfake_ensemble.workflow.repro

residual-plan: $(INSTALLED) ## Print every stage of the second study's active profile, and what would run
	@cd residual && PYTHONPATH=src python -m deepfake_ensemble.studies.residual.plan

residual-results: $(INSTALLED) ## Write residual/results.json from the runs' own files, and docs/residual.md
	@cd residual && PYTHONPATH=src python -m deepfake_ensemble.workflow.residual_results
	@python -m deepfake_ensemble.workflow.residual_page

estimate: $(INSTALLED) ## Print what the active profile would cost: hours on GPUs and here, disk, memory, network
	@python -m deepfake_ensemble.workflow.estimate

experiments: $(INSTALLED) ## Print what differs between DVC's experiments, an experiment a column
	@python -m deepfake_ensemble.workflow.experiments

plan: $(INSTALLED) ## Print every stage of the active profile: counts, weights, sizes, and what would run
	@python -m deepfake_ensemble.studies.ensemble.plan

test: $(INSTALLED) lint ## Run the linter, the type checker, the quick tests and one tiny run of the pipeline
	@echo "test: running the quick tests, and the whole pipeline once on a tiny sample"
	@python -m pytest -m "not networks and not pipeline" --errors=check

test-all: $(INSTALLED) lint ## The same with the tests that train networks and run at full scale; half an hour or more
	@python -m pytest --errors=check

lint: $(INSTALLED)
	@echo "test: ruff and mypy"
	@ruff check . && ruff format --check . && mypy

readme: $(INSTALLED) ## Write what was measured, the picture of the pipeline and what an edit reruns into README.md and CONTRIBUTING.md
	@python -m deepfake_ensemble.workflow.readme

screenshots: $(INSTALLED) ## Take the README's pictures from the sample's run (needs Chromium)
	@python -m deepfake_ensemble.workflow.screenshots

results: $(INSTALLED) ## Write docs/results.md from what benchmarks/measured_run.py measured
	@python -m deepfake_ensemble.workflow.results

errors: $(INSTALLED) ## Write docs/errors.md from the tests that provoke what it lists
	@python -m pytest -q -m "not networks and not pipeline" --ignore tests/pipeline/test_end_to_end.py \
	  --ignore tests/pipeline/test_kills.py --ignore tests/test_fuzzing.py --errors=write

cluster: $(INSTALLED) ## Like repro, with trainings on all GPUs of this host or a cluster (OPTIONS=..., docs/scaling.md)
	@python -m deepfake_ensemble.studies.ensemble.params && python -m deepfake_ensemble.cluster $(OPTIONS)

seeds: $(INSTALLED) ## Repeat the study with each of params.yaml's seeds, and write docs/seeds.md (hours on a GPU)
	@python -m deepfake_ensemble.workflow.seeds $(OPTIONS)

sweep: $(INSTALLED) ## Run a grid of params as DVC experiments: make sweep S="seed=1,2 training.batch_size=16,32"
	@python -m deepfake_ensemble.cluster.sweep $(foreach change,$(S),-S '$(change)') $(OPTIONS)

bench: $(INSTALLED) ## Measure what waiting, reading, training and use cost, and write docs/performance.md (two hours)
	@for name in reading feeding predicting training_cost precision comparing turnaround; do \
	  echo "bench: benchmarks/$$name.py"; python benchmarks/$$name.py || exit 1; done
	@for part in cold files faces requests parity; do \
	  echo "bench: benchmarks/use.py $$part"; python benchmarks/use.py $$part || exit 1; done
	@python benchmarks/performance_page.py

verify: $(INSTALLED) ## Run the last commit anew in a temporary clone and compare every result byte by byte
	@python -m deepfake_ensemble.workflow.verify

advisories: ## Compare the pinned requirements with published advisories (needs the network)
	@[ -x .venv-audit/bin/pip-audit ] || { python3 -m venv .venv-audit && \
	  .venv-audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'; }
	@# diskcache reads pickles from DVC's own folder of caches, which only its owner can write to; no release mends it.
	@.venv-audit/bin/pip-audit --requirement requirements/dev.txt --no-deps --disable-pip --strict \
	  --ignore-vuln CVE-2025-69872

lock: $(INSTALLED) ## Resolve the requirements anew around the versions of what computes (needs uv)
	@for name in dev gpu; do uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --constraint requirements/compute.txt --constraint requirements/export.txt --extra train --extra dev \
	  $$([ $$name = gpu ] && echo --extra gpu) --output-file requirements/$$name.txt pyproject.toml || exit 1; done

clean: ## Remove the environment and what tools leave behind; results and DVC's cache stay
	@rm -rf .venv .venv-audit .mypy_cache .pytest_cache .ruff_cache .hypothesis
