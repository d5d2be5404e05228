#!/usr/bin/env bash
# The demonstration: hosts as network namespaces, real traffic, every number checked.
# Called by `make demo`, as root; the exit code is that of tests/demo.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/python -m tests.demo "$@"
