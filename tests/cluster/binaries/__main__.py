"""`python -m tests.cluster.binaries` builds what is missing; silent when all is there."""

import sys

from tests.cluster.binaries.build import BuildError, build_all
from tests.cluster.binaries.toolchain import ToolchainError


def main() -> int:
    """Exit code: 1 when something could not be built, with the reason."""
    try:
        build_all()
    except (BuildError, ToolchainError) as error:
        print(f"\ncluster binaries: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
