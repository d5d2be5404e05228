#!/usr/bin/env bash
# Every check that runs no code of ours, one line each; all of them run even when one fails.
# Called by `make lint`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export PATH="$PWD/.venv/bin:$PATH"
failed=()

# $1 name of the check, then the command
check() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		printf '%-14s ok\n' "$name"
	else
		printf '%-14s FAILED\n%s\n' "$name" "$output"
		failed+=("$name")
	fi
}

mapfile -t shell_files < <(find scripts -name '*.sh' | sort)
mapfile -t yaml_files < <(find crds charts config contrib docs examples .yamllint \
	\( -name '*.yaml' -o -name '*.yml' -o -name .yamllint \) -not -path '*/templates/*' 2>/dev/null | sort)
mapfile -t c_files < <(find bpf examples -maxdepth 1 -name '*.[ch]' | sort)

check "ruff" ruff check --quiet .
check "ruff format" ruff format --quiet --check .
check "mypy" mypy --no-error-summary operator/xdpredirect tests scripts
check "import-linter" lint-imports --no-cache
check "file length" python scripts/check_length.py operator/xdpredirect
check "shellcheck" shellcheck "${shell_files[@]}" .ci/run
check "yamllint" yamllint --strict "${yaml_files[@]}"
check "clang-format" clang-format --dry-run -Werror "${c_files[@]}"

if [ "${#failed[@]}" -gt 0 ]; then
	printf 'make lint: failed: %s\n' "$(IFS=,; echo "${failed[*]}")" >&2
	exit 1
fi
