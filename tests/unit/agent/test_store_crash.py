"""The store when its process dies: a child ends without warning before its n-th file operation."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.agent.stored import EDGE, address_set, redirect
from xdpredirect.agent.store import Key, Store

OPERATIONS = ("open", "write", "fsync", "replace", "unlink", "mkdir")


def _dies_before(operation: int, action: Callable[[], object]) -> bool:
    """Run `action` in a child that ends before file operation number `operation`; short writes
    make every byte boundary count. Returns whether the child got to the end."""
    child = os.fork()
    if child == 0:
        left = operation

        def counted(original: Callable[..., Any], short: bool) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                nonlocal left
                if left == 0:
                    os._exit(9)
                left -= 1
                if short:
                    args = (args[0], bytes(args[1])[:97])
                return original(*args, **kwargs)

            return call

        for name in OPERATIONS:
            setattr(os, name, counted(getattr(os, name), name == "write"))
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), f"the child failed with {code}"
    return code == 0


def _crash_everywhere(
    prepare: Callable[[], Store],
    action: Callable[[Store], object],
    check: Callable[[Store], object],
) -> int:
    for operation in range(200):
        store = prepare()
        finished = _dies_before(operation, lambda store=store: action(store))  # type: ignore[misc]
        check(store)
        # The next run is not stopped by what the dead one left behind.
        action(store)
        check(store)
        if finished:
            return operation
    pytest.fail("more file operations than expected")


def test_a_crash_while_writing_leaves_the_old_object_or_the_new(tmp_path: Path) -> None:
    number = iter(range(1000))
    seen = set()

    def prepare() -> Store:
        store = Store(tmp_path / str(next(number)))
        store.put([redirect(vlan=1)])
        return store

    def check(store: Store) -> None:
        wanted = Store(store.objects_dir.parent).read_all()
        assert wanted.problems == ()
        (found,) = wanted.objects.redirects
        vlan = found.spec.rules[0].match.vlan_ids[0].first
        assert (vlan, found.generation) in ((1, 1), (2, 2))
        seen.add(vlan)

    operations = _crash_everywhere(prepare, lambda store: store.put([redirect(vlan=2)]), check)
    assert operations >= 6
    assert seen == {1, 2}


def test_a_crash_while_removing_leaves_the_object_or_nothing(tmp_path: Path) -> None:
    number = iter(range(1000))

    def prepare() -> Store:
        store = Store(tmp_path / str(next(number)))
        store.put([redirect(), address_set()])
        return store

    def check(store: Store) -> None:
        wanted = Store(store.objects_dir.parent).read_all()
        assert wanted.problems == ()
        assert {r.name for r in wanted.objects.redirects} <= {"edge"}

    keys = [EDGE, Key("XdpAddressSet", "bots")]
    assert _crash_everywhere(prepare, lambda store: store.remove(keys), check) >= 4


def test_a_crash_while_marking_leaves_the_old_record_or_the_new(tmp_path: Path) -> None:
    number = iter(range(1000))

    def prepare() -> Store:
        store = Store(tmp_path / str(next(number)))
        store.mark_applied([redirect(vlan=1)])
        return store

    def check(store: Store) -> None:
        (found,) = Store(store.objects_dir.parent).applied().redirects
        assert found.spec.rules[0].match.vlan_ids[0].first in (1, 2)

    operations = _crash_everywhere(
        prepare, lambda store: store.mark_applied([redirect(vlan=2)]), check
    )
    assert operations >= 5
