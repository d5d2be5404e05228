# `make help` lists the targets. Everything runs from .venv, which `make setup` makes.
SHELL := /bin/bash
PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-kernel test-cluster test-chart test-image test-node
.PHONY: test-gitops cluster-binaries cluster cluster-down image
.PHONY: lint format bench bench-cluster fuzz lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## install what is missing (apt and pip; Debian 12, 13), prints nothing when all is there
	@scripts/setup.sh

demo: setup ## four hosts as network namespaces, real traffic, half a minute (root)
	@scripts/demo.sh

test: setup ## lint and all the tests below (root)
	@scripts/test.sh

test-unit: setup ## tests without root, seconds
	@$(PYTEST) tests/unit

test-kernel: setup ## real XDP in network namespaces (root)
	@$(PYTEST) tests/kernel

test-cluster: setup cluster-binaries ## a real control plane, in namespaces (root)
	@$(PYTEST) tests/cluster

test-chart: setup ## the Helm chart, with real Helm 3 and 4 (root)
	@$(PYTEST) tests/chart

test-image: setup ## the images, run with the agent's three capabilities (root)
	@$(PYTEST) tests/image

test-node: setup ## two nodes with kubelet and containerd, the product installed by Helm (root)
	@$(PYTEST) tests/node

test-gitops: setup ## a real Argo CD (root)
	@$(PYTEST) tests/gitops

cluster-binaries: setup ## build a control plane (12 minutes, once; needs no Go)
	@$(PYTHON) -m tests.cluster.binaries etcd kubernetes kwok

image: setup ## build/images/operator.tar and agent.tar (4 minutes, then kept; root)
	@scripts/image.sh

cluster: setup cluster-binaries ## three nodes with agents and operator, to play with (root)
	@$(PYTHON) -m tests.cluster up

cluster-down: ## remove them
	@$(PYTHON) -m tests.cluster down

lint: setup ## style, types, layers
	@scripts/lint.sh

format: setup ## rewrite Python and C in the project's style
	@.venv/bin/ruff check --quiet --fix-only .
	@.venv/bin/ruff format --quiet .
	@.venv/bin/clang-format -i bpf/*.c bpf/*.h examples/*.c

bench: setup ## measure against xdp-bench and the bare helpers (root)
	@$(PYTHON) -m tests.bench

bench-cluster: setup cluster-binaries ## measure operator and agents, 1,000 simulated nodes (root)
	@$(PYTHON) -m tests.bench --only cluster --json build/bench-cluster.json

fuzz: setup ## the long random campaigns (root)
	@$(PYTHON) -m tests.fuzz

lock: setup ## resolve pyproject.toml into the lock files again
	@scripts/lock.sh

clean: ## remove the virtual environment, caches and builds
	@rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
