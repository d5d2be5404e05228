"""Takes down what a lab left that was killed before it could.

Called once at the start of a run of tests/kernel. Only names that carry a dead process's id go.
"""

from tests.kernel.lab import netns
from tests.kernel.lab.residue import owner_of
from tests.kernel.lab.topology import LAB_ROOT, NAME_PREFIX, end_processes, remove_directory


def sweep() -> list[str]:
    """Names of the namespaces and directories that were removed."""
    swept: list[str] = []
    for path in sorted(netns.NETNS_DIR.glob(f"{NAME_PREFIX}[0-9]*-[0-9]*-*")):
        if owner_of(path.name) is None:
            end_processes(path.name)
            netns.delete(path.name)
            swept.append(path.name)
    for path in sorted(LAB_ROOT.glob(f"{NAME_PREFIX}[0-9]*-[0-9]*")):
        if owner_of(path.name) is None:
            remove_directory(path)
            swept.append(str(path))
    return swept
