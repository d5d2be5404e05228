"""Observes the machine: links with every setting that matters to XDP, and CPUs.

Called by the agent at the start of every pass, and by `doctor`. Reads only.
"""

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from xdpredirect.host import Host, Link, XdpFeatures
from xdpredirect.kernel.cpus import read_cpus, read_irq_cpus, read_numa_node
from xdpredirect.kernel.ethtool import Ethtool
from xdpredirect.kernel.features import dump_features
from xdpredirect.kernel.links import dump_links

KUBELET_STATE = Path("/var/lib/kubelet/cpu_manager_state")
_SYSFS, _PROCFS = Path("/sys"), Path("/proc")
_PCI_ADDRESS = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
# The names that Kubernetes uses, so that one nodeSelector means the same with and without it.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def observe_host(
    labels: Mapping[str, str] | None = None, kubelet_state: Path = KUBELET_STATE
) -> Host:
    """The machine as the calling thread's network namespace sees it.

    `labels` are laid over the three that every machine has (hostname, os, arch). Links are sorted
    by ifindex. A link that changes meanwhile may be described by values of both moments; the
    watch reports the change, so a later pass puts it right. Raises KernelError.
    """
    system = os.uname()
    features = dump_features()
    with Ethtool() as ethtool:
        links = tuple(
            _with_settings(link, features.get(link.ifindex), ethtool) for link in dump_links()
        )
    return Host(
        hostname=system.nodename,
        labels={
            "kubernetes.io/arch": _ARCHITECTURES.get(system.machine, system.machine),
            "kubernetes.io/hostname": system.nodename,
            "kubernetes.io/os": "linux",
            **(labels or {}),
        },
        links=links,
        cpus=read_cpus(_SYSFS, kubelet_state),
        kernel=parse_release(system.release),
        users={user.pw_name: user.pw_uid for user in pwd.getpwall()},
    )


def parse_release(release: str) -> tuple[int, int]:
    """Major and minor number of a kernel release such as `6.1.0-18-amd64`; zeros if it has none."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _with_settings(link: Link, features: XdpFeatures | None, ethtool: Ethtool) -> Link:
    """`link` with what rtnetlink does not tell."""
    info = ethtool.driver(link.name)
    bus = info.bus if _PCI_ADDRESS.fullmatch(info.bus) else ""
    channels = ethtool.channels(link.name) or (link.rx_channels, link.tx_channels)
    return replace(
        link,
        features=features,
        driver=info.driver,
        pci_address=bus,
        offloads=ethtool.offloads(link.name),
        rx_channels=channels[0],
        tx_channels=channels[1],
        rss_queues=ethtool.rss_queues(link.name),
        numa_node=read_numa_node(bus, _SYSFS) if bus else -1,
        irq_cpus=read_irq_cpus(bus, _SYSFS, _PROCFS) if bus else (),
    )
