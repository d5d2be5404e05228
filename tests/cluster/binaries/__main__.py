"""`python -m tests.cluster.binaries [FAMILY...]` builds what is missing, silent when all is there.

Of all families when none is named. Called by the Makefile and by scripts/test.sh.
"""

import sys

from tests.cluster.binaries.build import BuildError, build_all
from tests.cluster.binaries.families import FAMILIES
from tests.cluster.binaries.toolchain import ToolchainError


def main() -> int:
    """Exit code: 1 when something could not be built, with the reason."""
    by_name = {family.name: family for family in FAMILIES}
    names = sys.argv[1:] or list(by_name)
    if unknown := [name for name in names if name not in by_name]:
        print(f"no family {unknown[0]}; there are {', '.join(by_name)}", file=sys.stderr)
        return 2
    try:
        build_all([by_name[name] for name in names])
    except (BuildError, ToolchainError) as error:
        print(f"\ncluster binaries: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
