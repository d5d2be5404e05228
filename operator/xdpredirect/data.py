"""Where the files that are not Python live: the CRDs and the C sources.

Called by api.load (crds) and kernel.compile (bpf). An installed wheel carries them inside the
package as `_data/<name>`; a checkout keeps them at its top level, where people look for them.
"""

from importlib import resources
from pathlib import Path

import xdpredirect


def data_dir(name: str) -> Path:
    """The directory `name` ("crds" or "bpf") of this installation.

    Raises FileNotFoundError, naming both places, where neither holds it.
    """
    packaged = Path(str(resources.files(xdpredirect))) / "_data" / name
    checkout = Path(xdpredirect.__file__).resolve().parents[2] / name
    for place in (packaged, checkout):
        if place.is_dir():
            return place
    raise FileNotFoundError(
        f"no {name} directory at {packaged} or {checkout}: reinstall the package"
    )
