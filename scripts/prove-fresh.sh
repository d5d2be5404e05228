#!/usr/bin/env bash
# Proves on a bare Debian that a newcomer's first hour works: debootstrap, clone, setup, test, demo.
# Called by maintainers, as root: scripts/prove-fresh.sh SUITE [MAKE_TARGET...]
# SUITE is a Debian release (bookworm, trixie); targets default to: setup test demo.
# The tree is below PROVE_DIR (default /var/tmp) and goes when this ends; PROVE_KEEP=1 keeps it.
# What is proven is HEAD: uncommitted changes are not in the clone.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${1:?usage: prove-fresh.sh SUITE [MAKE_TARGET...]}
shift
targets=("${@:-}")
[ -n "${targets[0]}" ] || targets=(setup test demo)
[ "$(id -u)" -eq 0 ] || { echo "prove-fresh: needs root" >&2; exit 1; }

# Mounts live in a namespace of their own: whatever happens, the kernel undoes them. Processes do not,
# since the tests have to see who else on the machine holds BPF objects.
if [ "${PROVE_INSIDE:-}" != 1 ]; then
	exec env PROVE_INSIDE=1 unshare --mount "scripts/$(basename "$0")" "$suite" "${targets[@]}"
fi

root=$(mktemp -d "${PROVE_DIR:-/var/tmp}/xdpredirect-$suite.XXXXXX")
# It becomes /, which everybody may pass through: the compiler runs as nobody.
chmod 755 "$root"
begun=$SECONDS

# What still runs in the tree, and nowhere else.
end_processes() {
	local process
	for process in /proc/[0-9]*; do
		if [ "$(readlink "$process/root")" = "$root" ]; then
			kill -9 "${process#/proc/}" || true
		fi
	done 2>/dev/null
}

finish() {
	local rc=$?
	end_processes
	# Only our own mounts end here: the namespace is private.
	findmnt --raw --noheadings --output TARGET | grep "^$root\(/\|\$\)" | sort -r | xargs -r umount --lazy || true
	if [ "${PROVE_KEEP:-}" = 1 ]; then
		printf 'prove-fresh: kept %s\n' "$root"
	else
		rm -rf --one-file-system "$root"
	fi
	[ "$rc" -eq 0 ] && printf 'prove-fresh: %s: %s: ok in %d s\n' \
		"$suite" "${targets[*]}" $((SECONDS - begun))
	[ "$rc" -eq 0 ] || printf 'prove-fresh: %s: failed (%d)\n' "$suite" "$rc" >&2
	exit "$rc"
}
trap finish EXIT
# Otherwise what ended well last would be the result.
trap 'exit 130' INT
trap 'exit 143' TERM
mount --make-rprivate /

step() {
	printf '\n== [%4d s] %s\n' $((SECONDS - begun)) "$*"
}

# The mirror, proxies and certificates that this machine itself uses.
mirror() {
	# The fields are apt's, not the shell's.
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(SITE) $(REPO_URI)' 'Created-By: Packages' |
		awk '$1 == "Debian" && $2 == "main" { print $4; exit }'
}

apt_transport() {
	apt-config dump | grep -iE '^Acquire::(http|https)::(Proxy|CAInfo|CAPath|Verify-Peer)[: ]' || true
}

# Assignments for the environment inside: what leads pip, apt and go through the same gate.
gate() {
	env | grep -iE '^(https?_proxy|no_proxy|PIP_INDEX_URL|PIP_EXTRA_INDEX_URL|PIP_TRUSTED_HOST|PIP_DEFAULT_TIMEOUT|GOPROXY|GOSUMDB)=' ||
		true
	printf '%s=/etc/prove-fresh-ca.crt\n' PIP_CERT SSL_CERT_FILE
}

make_tree() {
	step "debootstrap $suite"
	local proxy
	proxy=$(apt-config shell proxy Acquire::http::Proxy)
	eval "${proxy:-proxy=}"
	# shellcheck disable=SC2154
	env ${proxy:+http_proxy="$proxy"} debootstrap --variant=minbase \
		--include=ca-certificates,git,make "$suite" "$root" "$(mirror)" >"$root.log" 2>&1 ||
		{ tail -n 20 "$root.log" >&2; rm -f "$root.log"; return 1; }
	rm -f "$root.log"
	apt_transport >"$root/etc/apt/apt.conf.d/90prove-fresh"
	cp --dereference /etc/resolv.conf /etc/hosts "$root/etc/"
	cp --dereference /etc/ssl/certs/ca-certificates.crt "$root/etc/prove-fresh-ca.crt"
	[ ! -f /etc/pip.conf ] || sed '/^ *cert *=/d; /^ *find-links *=/d' /etc/pip.conf >"$root/etc/pip.conf"
}

mount_kernel() {
	# As on a real machine, / is a mount point: unshare --mount wants to change how it propagates.
	mount --bind "$root" "$root"
	mount -t proc proc "$root/proc"
	mount -t sysfs sysfs "$root/sys"
	mount -t bpf bpf "$root/sys/fs/bpf"
	mount -t tracefs tracefs "$root/sys/kernel/tracing"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs -o mode=755 tmpfs "$root/run"
	# BPF objects are the machine's: kernel tests in here and outside take turns (tests/kernel).
	local name
	for name in lock queue; do
		touch "/run/xdpredirect-lab.$name" "$root/run/xdpredirect-lab.$name"
		mount --bind "/run/xdpredirect-lab.$name" "$root/run/xdpredirect-lab.$name"
	done
}

inside() {
	local assignments
	mapfile -t assignments < <(gate)
	chroot "$root" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		DEBIAN_FRONTEND=noninteractive "${assignments[@]}" "$@"
}

make_tree
mount_kernel
step "clone $(git rev-parse --short HEAD)"
git bundle create --quiet "$root/root/project.bundle" HEAD
inside git -c advice.detachedHead=false clone --quiet /root/project.bundle /root/project
for target in "${targets[@]}"; do
	step "make $target"
	inside make --no-print-directory -C /root/project "$target"
done
