#!/usr/bin/env bash
# Resolves pyproject.toml into requirements.lock (what an agent runs), requirements-operator.lock
# (and the operator), requirements-dev.lock (and tests) and requirements-build.lock (what makes the
# wheel of an image), each for every supported Python, with hashes. Called by `make lock`;
# `make lock UPGRADE=1` takes the newest versions that the bounds allow.
set -euo pipefail
cd "$(dirname "$0")/.."
UV_VERSION=0.13.9
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

/usr/bin/python3 -m venv "$work"
"$work/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"

compile() {
	"$work/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		${UPGRADE:+--upgrade} --custom-compile-command "make lock" "$@"
}

build_requirements() {
	"$work/bin/python" -c 'import tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'
}

compile pyproject.toml --output-file requirements.lock
compile pyproject.toml --extra operator --output-file requirements-operator.lock
compile pyproject.toml --extra operator --extra dev --output-file requirements-dev.lock
build_requirements | compile - --constraint requirements-dev.lock --output-file requirements-build.lock
