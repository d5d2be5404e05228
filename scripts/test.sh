#!/usr/bin/env bash
# Everything that can be tested, in one run of pytest. Called by `make test` after `make setup`.
# The programs and images that later suites need are built meanwhile, niced: lint, unit and kernel tests
# mostly wait and need none of them. A fixture of whoever needs them first waits for the rest
# (tests/conftest.py), and builds it again to say why if that failed here.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build

nice -n 10 .venv/bin/python -m tests.cluster.binaries >build/binaries.log 2>&1 &
builder=$!
trap 'kill "$builder" 2>/dev/null || true' EXIT

scripts/lint.sh
.venv/bin/python -m pytest tests/unit tests/kernel tests/cluster
