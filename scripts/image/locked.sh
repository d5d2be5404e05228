#!/bin/sh
# Installs a lock file into a virtual environment: $1 environment, $2 lock file. Run by the
# Dockerfile. Wheels only, each with the hash that the lock file has.
set -eu
# The command line of the CEL library and its colours: nothing of ours imports them (api/cel.py), and
# a test imports all of ours without them.
unused="typer annotated-doc annotated-types pydantic pydantic-core shellingham typing-inspection
	prompt-toolkit wcwidth pygments markdown-it-py mdurl"
pip="/tools/bin/pip --python $1/bin/python --disable-pip-version-check"
# A machine behind a gate has an authority of its own; it is lent to the build and stays out.
if [ -s /run/secrets/ca ]; then
	export PIP_CERT=/run/secrets/ca
fi
$pip install --no-cache-dir --no-compile --require-hashes --only-binary :all: -r "$2"
if [ "$1" != /tools ]; then
	# shellcheck disable=SC2086
	$pip uninstall --quiet --yes $unused
fi
# What Python compiles at its first start it could not keep: the root file system is read-only. By
# hash, since every file of an image gets the same time.
PYTHONHASHSEED=0 "$1/bin/python" -m compileall -q -f --invalidation-mode unchecked-hash "$1/lib"
