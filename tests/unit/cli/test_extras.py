"""Commands whose packages are not in every installation."""

import subprocess
import sys

import pytest

# As where the package was installed without the extra `operator`.
PROGRAM = """
import sys
sys.modules["kopf"] = None
from xdpredirect.cli.main import invoke
sys.exit(invoke(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", ["operator", "uninstall"])
def test_without_kopf_they_say_what_to_install(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "kopf is missing: pip install 'xdp-redirect-operator[operator]'\n"
