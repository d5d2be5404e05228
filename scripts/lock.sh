#!/usr/bin/env bash
# Resolves pyproject.toml into requirements.lock (what an agent runs), requirements-operator.lock
# (and the operator) and requirements-dev.lock (and tests), each for every supported Python, with
# hashes. Called by `make lock`; `make lock UPGRADE=1` takes the newest versions that the bounds
# allow.
set -euo pipefail
cd "$(dirname "$0")/.."
UV_VERSION=0.13.9
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

/usr/bin/python3 -m venv "$work"
"$work/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"

compile() {
	"$work/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		${UPGRADE:+--upgrade} --custom-compile-command "make lock" pyproject.toml "$@"
}

compile --output-file requirements.lock
compile --extra operator --output-file requirements-operator.lock
compile --extra operator --extra dev --output-file requirements-dev.lock
