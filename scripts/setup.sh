#!/usr/bin/env bash
# Brings a Debian or Ubuntu machine to where `make test` and `make demo` run: packages, virtual
# environment, mounts. Called by `make setup`; prints nothing when nothing is to be done.
set -euo pipefail
cd "$(dirname "$0")/.."

# The distribution's own interpreter: python3-bpfcc belongs to it, whatever comes first in PATH.
PYTHON=/usr/bin/python3
VENV=.venv
STAMP=$VENV/.setup
begun=$(date +%s%N)

step() {
	local tenths=$((($(date +%s%N) - begun) / 100000000))
	printf '[%3d.%d s] %s\n' $((tenths / 10)) $((tenths % 10)) "$*"
}

fail() {
	printf 'make setup: %s\n' "$*" >&2
	exit 1
}

# Runs a command, shows what it said only when it failed.
quietly() {
	local log rc=0
	log=$(mktemp)
	"$@" >"$log" 2>&1 || rc=$?
	if [ "$rc" -ne 0 ]; then
		tail -n 40 "$log" >&2
		rm -f "$log"
		fail "failed ($rc): $*"
	fi
	rm -f "$log"
}

packages() {
	sed 's/#.*//; /^[[:space:]]*$/d' scripts/apt-packages.txt
}

missing_packages() {
	local name
	for name in $(packages); do
		dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || echo "$name"
	done
}

install_packages() {
	local missing
	mapfile -t missing < <(missing_packages)
	[ "${#missing[@]}" -gt 0 ] || return 0
	[ "$(id -u)" -eq 0 ] || fail "these packages need root: apt-get install ${missing[*]}"
	step "apt: reading the package lists"
	quietly apt-get update
	step "apt: installing ${missing[*]}"
	quietly env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

# Everything that decides what the environment holds, and whose interpreter it is.
fingerprint() {
	{
		cat requirements-dev.lock pyproject.toml scripts/apt-packages.txt scripts/setup.sh
		readlink -f "$PYTHON"
		pwd
	} | sha256sum
}

# A virtual environment of another interpreter, or of a directory that was moved, is made anew.
venv_usable() {
	"$VENV/bin/python" -c 'import sys; sys.exit(sys.prefix != sys.argv[1])' "$PWD/$VENV" 2>/dev/null &&
		[ "$(readlink -f "$VENV/bin/python")" = "$(readlink -f "$PYTHON")" ]
}

install_environment() {
	"$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
		fail "$PYTHON is $("$PYTHON" --version); 3.11 to 3.13 are supported"
	if ! venv_usable; then
		step "python: making $VENV from $("$PYTHON" --version 2>&1)"
		quietly "$PYTHON" -m venv --clear "$VENV"
	fi
	step "pip: installing $(grep -c '^[a-z].*==' requirements-dev.lock) locked packages"
	quietly "$VENV/bin/python" -m pip install --disable-pip-version-check --require-hashes \
		--only-binary :all: -r requirements-dev.lock
	step "pip: installing xdpredirect from this checkout"
	quietly "$VENV/bin/python" -m pip install --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	quietly "$PYTHON" -I -c 'import bcc'
}

# $1 file system type, $2 where it belongs, $3 its magic number as stat prints it
ensure_mount() {
	[ "$(stat -f -c %t "$2" 2>/dev/null)" != "$3" ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		step "mount: $1 is missing at $2; as root: mount -t $1 $1 $2"
	elif mount -t "$1" "$1" "$2"; then
		step "mount: $1 at $2"
	else
		fail "could not mount $1 at $2; a container needs CAP_SYS_ADMIN for it"
	fi
}

if [ "$(cat "$STAMP" 2>/dev/null)" != "$(fingerprint)" ] || [ -n "$(missing_packages)" ]; then
	install_packages
	install_environment
	# Only now: the interpreter that is part of it may have come with the packages.
	fingerprint >"$STAMP"
	step "ready"
fi
ensure_mount bpf /sys/fs/bpf cafe4a11
ensure_mount tracefs /sys/kernel/tracing 74726163
