#!/usr/bin/env bash
# Everything that can be tested, in one run of pytest. Called by `make test` after `make setup`.
# The programs and images that later suites need are built meanwhile, niced: lint, unit and kernel
# tests mostly wait and need none of them. A test that needs what is not there yet builds it next
# (tests/cluster/binaries, tests/image/build.py), and says why when that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build

build() {
	.venv/bin/python -m tests.cluster.binaries && scripts/image.sh
}
set -m
build >build/test-builds.log 2>&1 &
builder=$!
set +m
# Its compilers too: a job has a process group of its own.
trap 'kill -- "-$builder" 2>/dev/null || true' EXIT
renice -n 10 --pgrp "$builder" >/dev/null

scripts/lint.sh
.venv/bin/python -m pytest tests/unit tests/kernel tests/cluster tests/chart tests/image tests/node tests/gitops
