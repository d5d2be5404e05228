"""The images of this checkout as files, built when they are missing.

Called by the fixtures of tests/image, tests/node and tests/gitops. The work is in scripts/image.sh,
which `make image` calls too.
"""

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.image.pause_image import NAME as PAUSE_NAME
from tests.image.pause_image import pause_image
from xdpredirect import __version__

ROOT = Path(__file__).parents[2]
BUILD_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Images:
    """Archives as `ctr images import` reads them, and the names that the images have there."""

    operator: Path
    agent: Path
    pause: Path
    operator_name: str
    agent_name: str
    pause_name: str


@cache
def images() -> Images:
    """The images of what is in the checkout at the first call; minutes once, seconds after that."""
    done = subprocess.run(
        [str(ROOT / "scripts" / "image.sh")],
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, f"scripts/image.sh: exit {done.returncode}: {done.stderr}"
    place = Path(done.stdout.strip())
    return Images(
        operator=place / "operator.tar",
        agent=place / "agent.tar",
        pause=pause_image(),
        operator_name=f"xdp-redirect-operator:{__version__}",
        agent_name=f"xdp-redirect-agent:{__version__}",
        pause_name=PAUSE_NAME,
    )
