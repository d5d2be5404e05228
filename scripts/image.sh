#!/usr/bin/env bash
# Builds the images: build/images/operator.tar and agent.tar, as `docker load` and `ctr images
# import` read them. Called by `make image`, and by tests/image/build.py for the directory that it
# prints. What was built once is kept by its content in ~/.cache/xdp-redirect-operator/images.
#   BASE=IMAGE             another base than the Dockerfile's
#   DEBIAN_SNAPSHOT=DAY    another day of Debian's archive
#   FRESH=1                take nothing from a cache
set -euo pipefail
cd "$(dirname "$0")/.."

TARGETS=(operator agent)
INPUTS=(Dockerfile .dockerignore LICENSE bpf crds operator/xdpredirect pyproject.toml
	requirements-build.lock requirements-operator.lock requirements.lock scripts/image.sh scripts/image)
# Made here where no registry answers.
LOCAL_BASE=localhost/debian:trixie-debootstrap
REGISTRY_SECONDS=30
KEPT_BUILDS=6
STORAGE_MIB=10000
cache=${XDG_CACHE_HOME:-$HOME/.cache}/xdp-redirect-operator/images
# What is mounted now; each storage has its own.
state=/run/xdp-redirect-operator/images-$(printf '%s' "$cache" | sha256sum | cut -c1-8)
begun=$SECONDS

say() {
	printf '[%3d s] %s\n' $((SECONDS - begun)) "$*" >&2
}

fail() {
	printf 'make image: %s\n' "$*" >&2
	exit 1
}

# Runs a command, shows what it said only when it failed.
quietly() {
	local log rc=0
	log=$(mktemp)
	"$@" >"$log" 2>&1 || rc=$?
	[ "$rc" -eq 0 ] || tail -n 60 "$log" >&2
	rm -f "$log"
	[ "$rc" -eq 0 ] || fail "failed ($rc): $1 $2"
}

# $1 name of an argument of the Dockerfile: its default
argument() {
	sed -n "s/^ARG $1=//p" Dockerfile
}

version() {
	sed -n 's/^__version__ = "\(.*\)"/\1/p' operator/xdpredirect/__init__.py
}

# The last commit that changed what is inside: any other makes the same image.
revision() {
	local commit
	commit=$(git log -1 --format=%H -- "${INPUTS[@]}" 2>/dev/null) || true
	[ -z "$commit" ] || [ -z "$(git status --porcelain -- "${INPUTS[@]}")" ] || commit=$commit-changed
	echo "${commit:-unknown}"
}

# Everything that decides what is built.
key() {
	{
		find "${INPUTS[@]}" -type f -not -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
		printf '%s\n' "$(uname -m)" "$revision" "$base" "$snapshot" "$epoch"
	} | sha256sum | cut -c1-24
}

need_package() {
	! command -v "$1" >/dev/null || return 0
	[ "$(id -u)" -eq 0 ] || fail "needs root: apt-get install $1"
	say "apt: installing $1"
	quietly apt-get update
	quietly env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1"
}

# Its storage is ours alone: nothing of it shows in the machine's, and it may be thrown away.
store() {
	buildah --root "$cache/storage" --runroot "$state" "$@"
}

# Of layers, most of builds that nobody asks for any more.
stored_mib() {
	du -sm "$cache/storage" 2>/dev/null | cut -f1 || echo 0
}

# The mirror of Debian that this machine itself uses, without /debian.
mirror() {
	# The fields are apt's, not the shell's.
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(SITE) $(REPO_URI)' 'Created-By: Packages' |
		awk '$1 == "Debian" && $2 == "main" { sub("/debian/?$", "", $4); print $4; exit }'
}

registry_answers() {
	timeout "$REGISTRY_SECONDS" buildah --root "$cache/storage" --runroot "$state" \
		pull --quiet "$base" >/dev/null 2>&1
}

has_local_base() {
	[ -n "$(store images --quiet "$LOCAL_BASE" 2>/dev/null)" ]
}

make_local_base() {
	local work proxy
	need_package debootstrap
	say "debootstrap: no registry answers, making a Debian 13"
	work=$(mktemp -d "$cache/base.XXXXXX")
	proxy=$(apt-config shell proxy Acquire::http::Proxy)
	eval "${proxy:-proxy=}"
	quietly env ${proxy:+http_proxy="$proxy"} debootstrap --variant=minbase trixie "$work/root" "$1/debian"
	tar --create --file "$work/rootfs.tar" --directory "$work/root" --numeric-owner \
		--exclude './dev/*' --exclude './var/cache/apt/*' --exclude './var/lib/apt/lists/*' .
	printf 'FROM scratch\nADD rootfs.tar /\n' >"$work/Dockerfile"
	quietly store bud --isolation chroot --timestamp "$epoch" --tag "$LOCAL_BASE" --file "$work/Dockerfile" "$work"
	rm -rf --one-file-system "$work"
}

# $1 target, $2 file, $3 name of the image; $4... further arguments of the build
with_buildah() {
	local target=$1 file=$2 name=$3
	shift 3
	quietly store bud --isolation chroot --layers --timestamp "$epoch" \
		--target "$target" --tag "$name" "$@" .
	quietly store push "$name" "docker-archive:$file:$name"
}

with_docker() {
	local target=$1 file=$2 name=$3
	shift 3
	quietly docker buildx build ${FRESH:+--no-cache} --target "$target" \
		--output "type=docker,dest=$file,name=$name,rewrite-timestamp=true" "$@" .
}

# Authorities of this machine, which pip needs behind a gate that opens TLS.
authorities() {
	local file=${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}
	if [ -s "$file" ]; then echo "$file"; else echo /dev/null; fi
}

build() {
	local place=$1 builder=with_buildah target arguments from
	mkdir -p "$cache"
	if ! command -v buildah >/dev/null && docker info >/dev/null 2>&1; then
		builder=with_docker
	else
		need_package buildah
		[ -z "${FRESH:-}" ] && [ "$(stored_mib)" -lt "$STORAGE_MIB" ] || rm -rf "$cache/storage" "$state"
		if has_local_base || ! registry_answers; then
			from=$(mirror) base=$LOCAL_BASE snapshot=''
			has_local_base || make_local_base "$from"
			arguments=(--build-arg "DEBIAN_MIRROR=$from")
		fi
	fi
	arguments+=(--secret "id=ca,src=$(authorities)" --build-arg "BASE=$base"
		--build-arg "DEBIAN_SNAPSHOT=$snapshot" --build-arg "SOURCE_DATE_EPOCH=$epoch"
		--build-arg "PIP_INDEX_URL=${PIP_INDEX_URL:-}" --build-arg "VERSION=$version"
		--build-arg "REVISION=$revision" --build-arg "CREATED=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)")
	partial=$(mktemp -d "$cache/partial.XXXXXX")
	trap 'rm -rf "$partial"' EXIT
	for target in "${TARGETS[@]}"; do
		say "building the image of the $target"
		"$builder" "$target" "$partial/$target.tar" "xdp-redirect-$target:$version" "${arguments[@]}"
	done
	rm -rf "$place"
	mv "$partial" "$place"
}

# The oldest go, by their last use.
prune() {
	find "$cache" -maxdepth 1 -type d -name 'build-*' -printf '%T@ %p\n' | sort -rn |
		tail -n +$((KEPT_BUILDS + 1)) | cut -d' ' -f2- | xargs -r rm -rf
}

base=${BASE:-$(argument BASE)}
snapshot=${DEBIAN_SNAPSHOT-$(argument DEBIAN_SNAPSHOT)}
day=${snapshot:-$(argument DEBIAN_SNAPSHOT)}
epoch=${SOURCE_DATE_EPOCH:-$(date -u -d "${day:0:8}" +%s)}
version=$(version) revision=$(revision)
place=$cache/build-$(key)
mkdir -p "$cache" build/images
exec 9>"$cache/lock"
flock 9
if [ -n "${FRESH:-}" ] || [ ! -d "$place" ]; then
	build "$place"
	say "ready: $(du -shc "$place"/*.tar | awk '{ printf "%s%s", (NR > 1 ? ", " : ""), $0 }')"
fi
touch "$place"
prune
for target in "${TARGETS[@]}"; do
	ln -f "$place/$target.tar" "build/images/$target.tar" 2>/dev/null ||
		cp -f "$place/$target.tar" "build/images/$target.tar"
done
echo "$place"
