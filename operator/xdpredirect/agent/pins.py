"""Where things are pinned. Pure paths; bpffs refuses names with a dot, so they are escaped.

<bpffs>/owner                            which network namespace this directory serves
<bpffs>/monitor/<digest>/...           drop monitor: links, and its maps losses, slots and overflow
<bpffs>/pass/<ifindex>                   link of a pass program that `prepare` attached
<bpffs>/plugin/<name>/xsks_map           map of protocol DevicePlugin, its user's
<bpffs>/interfaces/<name>/link           attachment of the running program
<bpffs>/interfaces/<name>/counters       per-CPU counters, kept across programs
<bpffs>/interfaces/<name>/names          which rule counts in which slot
<bpffs>/interfaces/<name>/<digest>/...   maps and programs of one layout
"""

from dataclasses import dataclass
from pathlib import Path


def escape(name: str) -> str:
    """An interface name as a directory name in bpffs."""
    return name.replace("%", "%25").replace(".", "%2e")


def unescape(name: str) -> str:
    """The interface name of a directory."""
    return name.replace("%2e", ".").replace("%25", "%")


@dataclass(frozen=True, slots=True)
class Pins:
    """Paths below one bpffs directory."""

    root: Path

    @property
    def owner(self) -> Path:
        """Map with the inode of the network namespace."""
        return self.root / "owner"

    @property
    def interfaces(self) -> Path:
        """Directory of the interface directories."""
        return self.root / "interfaces"

    @property
    def passes(self) -> Path:
        """Directory of pass program links."""
        return self.root / "pass"

    @property
    def plugin(self) -> Path:
        """Directory of the maps that clients get whole."""
        return self.root / "plugin"

    def whole_map(self, name: str) -> Path:
        """The map of one interface, by the name that DPDK gives it."""
        return self.plugin / escape(name) / "xsks_map"

    @property
    def monitor(self) -> Path:
        """Directory of the drop monitor's installations: one, but for the moment of a change."""
        return self.root / "monitor"

    def interface(self, name: str) -> Path:
        """Directory of one interface."""
        return self.interfaces / escape(name)

    def link(self, name: str) -> Path:
        """bpf_link of one interface."""
        return self.interface(name) / "link"

    def counters(self, name: str) -> Path:
        """Counters of one interface."""
        return self.interface(name) / "counters"

    def names(self, name: str) -> Path:
        """Names of the counters of one interface."""
        return self.interface(name) / "names"

    def generation(self, name: str, digest: str) -> Path:
        """Directory of one generation."""
        return self.interface(name) / digest

    def program(self, name: str, digest: str, program: str) -> Path:
        """A program of a generation; `redirect` is the main one."""
        return self.generation(name, digest) / f"prog-{program}"

    def map(self, name: str, digest: str, map_name: str) -> Path:
        """A map of a generation."""
        return self.generation(name, digest) / f"map-{map_name}"
