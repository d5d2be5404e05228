#!/usr/bin/env bash
# Prints a directory with Debian 13's dpdk-testpmd and the libraries that it needs, for `chroot`:
# 17 MB of packages and 15 MB of lists are downloaded the first time (10 s), 49 MB are kept in
# ~/.cache/xdp-redirect-operator. Nothing is installed on the machine itself. Called by
# tests/kernel/testpmd.py.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/xdp-redirect-operator
tree=$cache/testpmd

fail() {
	printf 'testpmd: %s\n' "$*" >&2
	exit 1
}

# Where this machine's own apt gets Debian from.
mirror() {
	# The fields are apt's, not the shell's.
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk '$1 == "Debian" && $2 == "main" { print $3; exit }'
}

# Runs a command, shows what it said only when it failed.
quietly() {
	"$@" >"$work/log" 2>&1 || {
		tail -n 20 "$work/log" >&2
		fail "failed: $*"
	}
}

# $1 a directory: an apt with lists of its own and nothing installed. Proxies are the machine's.
separate_apt() {
	local keys=/usr/share/keyrings/debian-archive-keyring.gpg archive
	[ -r "$keys" ] || fail "$keys is missing; apt-get install debian-archive-keyring"
	archive=$(mirror)
	mkdir -p "$1/lists/partial" "$1/archives/partial"
	: >"$1/status"
	echo "deb [signed-by=$keys] ${archive:-http://deb.debian.org/debian} trixie main" >"$1/sources.list"
	cat >"$1/apt.conf" <<-END
		Acquire::Languages "none";
		APT::Install-Recommends "false";
		APT::Sandbox::User "root";
		Dir::Cache "$1";
		Dir::Etc::SourceList "$1/sources.list";
		Dir::Etc::SourceParts "-";
		Dir::Etc::PreferencesParts "$1/archives";
		Dir::State "$1";
		Dir::State::Status "$1/status";
	END
	export APT_CONFIG=$1/apt.conf
}

# Of dpdk-dev, which has the program, all but the 300 packages for who compiles against DPDK.
libraries() {
	local direct
	mapfile -t direct < <(apt-cache show dpdk-dev | sed -n 's/^Depends: //p' | tr ',' '\n' |
		awk '$1 ~ /^(lib|zlib|ibverbs)/ && $1 != "libdpdk-dev" { print $1 }')
	apt-get install --print-uris -qq "${direct[@]}" librte-mempool-ring25 librte-net-af-xdp25 |
		awk '{ sub("_.*", "", $2); print $2 }' | grep -E '^(lib|zlib|ibverbs)' | grep -v '^libsystemd-shared'
}

make_tree() {
	local name packages
	separate_apt "$work"
	quietly apt-get update
	mapfile -t packages < <(libraries)
	mkdir "$work/debs"
	(cd "$work/debs" && quietly apt-get download dpdk-dev "${packages[@]}")
	mkdir -p "$work/tree/usr/lib" "$work/tree/usr/lib64"
	ln -s usr/lib usr/lib64 "$work/tree/"
	for name in "$work"/debs/*.deb; do
		dpkg-deb --extract "$name" "$work/tree"
	done
	find "$work/tree/usr/bin" -type f ! -name dpdk-testpmd -delete
	rm -rf "$work/tree/usr/share"
	# To be mounted on.
	mkdir -p "$work/tree"/{dev,proc,run/xdpredirect/sockets,sys,tmp}
	rm -rf "$tree"
	mv "$work/tree" "$tree"
}

mkdir -p "$cache"
exec 9>"$cache/testpmd.lock"
flock 9
if [ ! -x "$tree/usr/bin/dpdk-testpmd" ]; then
	work=$(mktemp -d "$cache/testpmd.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	make_tree
fi
echo "$tree"
