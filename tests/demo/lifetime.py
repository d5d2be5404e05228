"""The scenes about change, failure and the end. Called by `__main__`, in order."""

import subprocess
import time

from tests.demo import traffic
from tests.demo.network import MODULE, SERVICE, Network
from tests.demo.stage import CheckFailed, Count, Stage

RATE = 5000
SWITCHES = 6
AFTER_DEATH = 1000
WRONG = """\
apiVersion: xdpredirect.io/v1alpha1
kind: XdpRedirect
metadata: {name: wire-out}
spec:
  nodeSelector: {}
  interfaces: [{names: [client]}]
  rules:
    - name: all
      match: {protocols: [UDP], destinationPort: 53}
      action: {type: Device, device: {name: nowhere}}
"""


def refusal(stage: Stage, network: Network) -> None:
    """A wrong file is refused in words; nothing is touched."""
    before = network.note_programs()
    stage.command("xdpredirect", "apply", "-f", "-", "<", "typo.yaml")
    done = network.router.run([*MODULE, "apply", "-f", "-"], check=False, stdin=WRONG)
    stage.output(done.stderr)
    with stage.step("A mistake is refused before the kernel is touched") as step:
        step.check(
            done.returncode == 2 and "destinationPort" in done.stderr,
            "exit code 2",
            f"exit code {done.returncode}, not 2",
        )
        after = network.note_programs()
        step.check(after == before, "the same programs run", f"{before} became {after}")


def change_under_traffic(stage: Stage, network: Network) -> None:
    """The wire's end moves between two servers while datagrams flow; each arrives once."""
    client = network.hosts["client"]
    with (
        stage.step(f"Move the wire {SWITCHES} times under {RATE:,} datagrams/s") as step,
        traffic.Inbox(network.hosts["server"], 5001) as first,
        traffic.Inbox(network.hosts["backup"], 5001) as second,
    ):
        programs = [network.note_programs()["client"]]
        with traffic.Stream(client, (SERVICE, 5001), RATE) as stream:
            for number in range(SWITCHES):
                time.sleep(0.2)
                found = network.apply(stage, ("5-failover.yaml", "1-wire.yaml")[number % 2])
                programs.append(found["client"])
            time.sleep(0.2)
        swaps = len(set(programs)) - 1
        step.check(swaps == SWITCHES, f"{swaps} programs swapped", f"programs were {programs}")
        one, two = first.settled(), second.settled()
        stage.count(step, Count("UDP during six changes", stream.sent, one + two, "datagrams"))
        numbers = {*first.received, *second.received}
        step.check(
            len(numbers) == stream.sent and one > 0 and two > 0,
            f"server {one:,} + backup {two:,}, none twice",
            f"server {one:,}, backup {two:,}, {len(numbers):,} different ones",
        )


def death_of_the_agent(stage: Stage, network: Network) -> None:
    """kill -9: frames go on, the next agent takes over what it finds."""
    stage.command("xdpredirect", "agent")
    with (
        stage.step("kill -9 the agent under traffic, start another") as step,
        traffic.Inbox(network.hosts["server"], 5002) as inbox,
    ):
        with traffic.Stream(network.hosts["client"], (SERVICE, 5002), RATE) as stream:
            before = _run_agent(network, kill=True)
            sent = stream.sent
            while stream.sent < sent + AFTER_DEATH:
                time.sleep(0.01)
            after = _run_agent(network, kill=False)
        step.check(after == before, "same programs", f"{before}, then {after}")
        what = "UDP across the agent's death"
        stage.count(step, Count(what, stream.sent, inbox.settled(), "datagrams"))


def deletion(stage: Stage, network: Network) -> None:
    """Deleting the objects leaves nothing attached or pinned."""
    network.show(stage, "delete", "--all")
    with stage.step("Delete every object") as step:
        programs, pins = network.note_programs(), network.router.pins()
        step.check(not programs, "no program", f"programs are left: {programs}")
        step.check(not pins, "no pin", f"pinned: {pins}")
        answered = traffic.ping(network.hosts["client"], SERVICE, 3)
        step.check(answered == 0, "0 of 3 pings answered", f"{answered} of 3 pings answered")


def _run_agent(network: Network, *, kill: bool) -> dict[str, int]:
    """Starts an agent and ends it once its first pass is done, by SIGKILL or SIGTERM; returns the
    programs that run then, ids by interface."""
    with network.router.running([*MODULE, "agent"]) as agent:
        _wait_for_pass(network, agent)
        if kill:
            agent.kill()
            agent.wait()
    return network.note_programs()


def _wait_for_pass(network: Network, agent: subprocess.Popen[str]) -> None:
    """Until the agent has recorded a pass; CheckFailed when it ends before."""
    path = network.router.state_dir / "status.json"
    path.unlink(missing_ok=True)
    deadline = time.monotonic() + 30
    while not path.exists():
        if agent.poll() is not None or time.monotonic() > deadline:
            raise CheckFailed("the agent did not become ready")
        time.sleep(0.02)
