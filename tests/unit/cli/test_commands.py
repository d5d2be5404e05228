"""apply, plan, delete, agent and help: exit codes and every message."""

import json

import pytest
import yaml

from tests.unit.agent.stored import address_set, redirect
from tests.unit.cli.machines import Machine, Shell, file
from tests.unit.cli.samples import finding
from xdpredirect.agent.report import Severity
from xdpredirect.errors import KernelError, VerifierError


class TestApply:
    def test_done(self, shell: Shell) -> None:
        typed = shell.type("apply", "-f", file(shell, redirect(), address_set()))
        assert (typed.code, typed.err) == (0, "")
        assert typed.out.splitlines() == [
            "ACTIONS",
            " 1  veth0: attach edge",
            "",
            "xdpaddressset/bots created",
            "xdpredirect/edge created: Ready, running on veth0",
        ]
        assert shell.store.read_status()["generations"] == {
            "xdpaddressset/bots": 1,
            "xdpredirect/edge": 1,
        }

    def test_twice(self, shell: Shell) -> None:
        path = file(shell, redirect())
        shell.type("apply", "-f", path)
        assert shell.type("apply", "-f", path).out.splitlines() == [
            "unchanged: the kernel is as wanted already",
            "",
            "xdpredirect/edge unchanged: Ready, running on veth0",
        ]

    def test_standard_input(self, shell: Shell) -> None:
        assert shell.type("apply", "-f", "-", stdin=json.dumps(redirect())).code == 0
        assert [r.name for r in shell.store.read_all().objects.redirects] == ["edge"]

    def test_other_objects_stay(self, shell: Shell) -> None:
        shell.type("apply", "-f", file(shell, redirect("a")))
        shell.type("apply", "-f", file(shell, redirect("b")))
        assert shell.machine.running == {"a", "b"}

    def test_an_invalid_object_touches_nothing(self, shell: Shell) -> None:
        bad = redirect("bad")
        bad["spec"]["mode"] = "Turbo"
        bad["spec"]["interface"] = []
        path = file(shell, redirect(), bad)
        typed = shell.type("apply", "-f", path)
        assert (typed.code, typed.out) == (2, "")
        lines = typed.err.splitlines()
        assert len(lines) == 2
        assert all(line.startswith(f"{path}: XdpRedirect/bad: spec.") for line in lines)
        assert shell.machine.passes == []
        assert not (shell.root / "state").exists()

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["apply"], "Missing option '-f'"),
            (["apply", "-f", "/nowhere.yaml"], "/nowhere.yaml: No such file or directory"),
            (["apply", "-f", "-", "--attach", "x"], "--attach: 'x' is unknown; write link or"),
            (["apply", "-f", "-", "-o", "xml"], "'xml' is not one of 'table', 'json', 'yaml'"),
            (["aply"], "No such command 'aply'"),
            (["status", "nothing"], "nothing: is not here; this machine has no object"),
            (["delete"], "nothing to delete; write NAME, KIND/NAME or --all"),
            (["delete", "a", "--all"], "--all takes no names; leave out one of the two"),
        ],
    )
    def test_what_was_typed_wrong(self, shell: Shell, words: list[str], message: str) -> None:
        typed = shell.type(*words)
        assert typed.code == 2
        assert message in typed.err
        assert shell.machine.passes == []

    def test_findings_come_with_their_fix(self, shell: Shell) -> None:
        shell.machine.findings = (finding(interface="veth0", rule="r"),)
        typed = shell.type("apply", "-f", file(shell, redirect()))
        assert typed.code == 0
        assert typed.out.splitlines()[3:] == [
            "xdpredirect/edge created: Ready, Degraded, running on veth0",
            " ! PartialChecksums  edge/r on veth0",
            "   The peer of eth2 leaves checksums unfinished and XDP forwards them so: UDP",
            "   and TCP are lost. Run ethtool -K veth-peer tx off in the sender's namespace.",
        ]

    @pytest.mark.parametrize(
        ("severity", "strict", "code"),
        [
            (Severity.INFO, True, 0),
            (Severity.DEGRADED, False, 0),
            (Severity.DEGRADED, True, 3),
            (Severity.STALLED, False, 0),
            (Severity.STALLED, True, 3),
        ],
    )
    def test_strict(self, shell: Shell, severity: Severity, strict: bool, code: int) -> None:
        shell.machine.findings = (finding(severity),)
        more = ["--strict"] if strict else []
        assert shell.type("apply", "-f", file(shell, redirect()), *more).code == code
        assert shell.type("status", *more).code == code

    def test_a_kernel_failure_is_said_in_words(self, shell: Shell) -> None:
        shell.machine.failures = ("veth0: attach: EBUSY (Device or resource busy)",)
        typed = shell.type("apply", "-f", file(shell, redirect()), "--strict")
        assert typed.code == 1
        assert typed.err == "error: veth0: attach: EBUSY (Device or resource busy)\n"

    @pytest.mark.parametrize(
        ("raised", "words"),
        [
            (KernelError("list links", 1), "error: list links: EPERM (Operation not permitted)"),
            (VerifierError("edge", 13, "a\nb"), "error: load edge: EACCES\na\nb"),
            (OSError(28, "No space left on device"), "error: [Errno 28] No space left on device"),
        ],
    )
    def test_an_exception_becomes_a_line(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch, raised: Exception, words: str
    ) -> None:
        def fails(*_: object, **__: object) -> None:
            raise raised

        monkeypatch.setattr(Machine, "converge", fails)
        typed = shell.type("apply", "-f", file(shell, redirect()))
        assert (typed.code, typed.err.rstrip()) == (1, words)

    def test_a_machine_that_is_not_selected_says_so(self, shell: Shell) -> None:
        shell.machine.selected = False
        typed = shell.type("apply", "-f", file(shell, redirect()))
        assert typed.code == 0
        assert " ".join(typed.out.split()).endswith(
            "xdpredirect/edge created: not for this machine, spec.nodeSelector does not match its "
            "labels"
        )

    def test_what_a_finding_says_is_not_said_twice(self, shell: Shell) -> None:
        stalled = finding(Severity.STALLED, reason="NoCpu", interface="", message="Give one.")
        shell.machine.findings = (stalled,)
        typed = shell.type("apply", "-f", file(shell, redirect()))
        assert typed.out.splitlines()[3:] == [
            "xdpredirect/edge created: not Ready, NoCpu",
            " ✗ NoCpu  edge",
            "   Give one.",
        ]

    def test_for_programs(self, shell: Shell) -> None:
        shell.machine.findings = (finding(interface="veth0"),)
        path = file(shell, redirect())
        value = json.loads(shell.type("apply", "-f", path, "-o", "json").out)
        assert value["actions"] == ["veth0: attach edge"]
        (found,) = value["objects"]
        assert (found["kind"], found["name"], found["change"]) == (
            "XdpRedirect",
            "edge",
            "created",
        )
        assert found["findings"][0]["severity"] == "Degraded"
        assert yaml.safe_load(shell.type("plan", "-f", path, "-o", "yaml").out)["dryRun"] is True


class TestPlan:
    @pytest.mark.parametrize("words", [["plan"], ["apply", "--dry-run"]])
    def test_nothing_is_changed(self, shell: Shell, words: list[str]) -> None:
        shell.type("apply", "-f", file(shell, redirect()))
        before = shell.store.read_all().objects
        new = file(shell, redirect(vlan=7), redirect("new"))
        typed = shell.type(*words, "-f", new)
        assert typed.out.splitlines() == [
            "PLAN: 1 ACTION",
            " 1  veth0: attach new",
            "",
            "INTERFACES",
            "NAME  DRIVER MODE   FRAGS PROGRAM UNMATCHED PROTECTED MALFORMED",
            "veth0 veth   Native yes       812    20,311       318         2",
            "",
            "xdpredirect/edge configured (dry run): Ready, running on veth0",
            "xdpredirect/new created (dry run): Ready, running on veth0",
        ]
        assert shell.store.read_all().objects == before
        settings, dry_run = shell.machine.passes[-1]
        assert dry_run
        assert settings.files != shell.store.objects_dir
        assert not settings.files.exists()


class TestDelete:
    def test_by_name(self, shell: Shell) -> None:
        shell.type("apply", "-f", file(shell, redirect(), redirect("other")))
        typed = shell.type("delete", "edge")
        assert (typed.code, typed.err) == (0, "")
        assert typed.out.splitlines() == [
            "ACTIONS",
            " 1  veth0: detach edge",
            "",
            "xdpredirect/edge deleted",
        ]
        assert shell.machine.running == {"other"}

    def test_all(self, shell: Shell) -> None:
        shell.type("apply", "-f", file(shell, redirect(), address_set()))
        assert shell.type("delete", "--all").code == 0
        assert shell.store.read_all().objects.documents == ()

    def test_dry_run(self, shell: Shell) -> None:
        shell.type("apply", "-f", file(shell, redirect()))
        typed = shell.type("delete", "--all", "--dry-run")
        assert " 1  veth0: detach edge" in typed.out
        assert len(shell.store.read_all().objects.redirects) == 1

    def test_a_name_that_means_two_objects(self, shell: Shell) -> None:
        shell.type("apply", "-f", file(shell, redirect("x"), address_set("x")))
        typed = shell.type("delete", "x", "ghost")
        assert typed.code == 2
        assert typed.err.splitlines() == [
            "x: is the name of xdpaddressset/x and xdpredirect/x; write which",
            "ghost: is not here; this machine has xdpaddressset/x, xdpredirect/x",
        ]
        assert shell.type("delete", "xdpas/x").code == 0
        assert shell.type("delete", "XdpRedirect/x").code == 0

    def test_no_variable_can_delete_everything(self, shell: Shell) -> None:
        shell.type("apply", "-f", file(shell, redirect()))
        shell.environ = {"XDPREDIRECT_ALL": "1", "XDPREDIRECT_EVERYTHING": "1"}
        assert shell.type("delete").code == 2
