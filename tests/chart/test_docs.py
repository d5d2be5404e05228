"""docs/install.md: its commands about helm do what it shows."""

import os
import subprocess
from pathlib import Path

from tests.chart.helm import Helm
from tests.chart.release import Release
from tests.chart.rendered import NAMESPACE
from tests.cluster.binaries.families import path
from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.page import matches
from tests.kernel.documents import Block, blocks

PAGE = ROOT / "docs/install.md"
HERE = "run by tests/chart/test_docs.py"


def test_commands_do_what_the_text_shows(cluster: Cluster, tmp_path: Path) -> None:
    helm = Helm("helm", tmp_path, cluster.kubeconfig)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/helm").symlink_to(path(helm.version))
    programs = f"{tmp_path / 'bin'}:{path('kubectl').parent}:{os.environ['PATH']}"
    env = {**os.environ, **helm.environment(), "PATH": programs}
    tried = 0
    try:
        for block in blocks(PAGE):
            if block.not_run.startswith(HERE):
                tried += follow(block, env)
    finally:
        cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    assert tried == 6
    Release(cluster, helm, tmp_path).until_left([])


def follow(block: Block, env: dict[str, str]) -> int:
    commands = block.commands()
    for number, (command, shown) in enumerate(commands, 1):
        wanted = block.exit if number == len(commands) else 0
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        told = f"{block}: $ {command}\n{done.stdout}exit {done.returncode}"
        assert done.returncode == wanted, told
        assert matches(shown, done.stdout.splitlines()), told
    return len(commands)


def test_no_command_is_left_out() -> None:
    consoles = [block for block in blocks(PAGE) if block.language == "console"]
    assert [str(block) for block in consoles if not block.not_run] == []
