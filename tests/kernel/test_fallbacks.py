"""A program that the compiler or the verifier refuses is tried again in its other forms.

Loads through `agent.load.load_variants`, as the agent does.
"""

from dataclasses import replace

import pytest

from tests.kernel.loaded import a_host, loaded_layout
from tests.unit.datapath.samples import layout_of, port, redirect, rule
from xdpredirect.api.action import CPUs, Route
from xdpredirect.api.match import Range
from xdpredirect.api.redirect import Rule
from xdpredirect.datapath.layout import Layout
from xdpredirect.errors import CompileError, VerifierError

DROP = 1
FRAME = bytes(12) + b"\x08\x00" + bytes(50)
Rendered = tuple[tuple[str, str], ...]


def _layout(*others: Rule) -> Layout:
    """Two rules or more, so that there are fallbacks; the last one drops everything."""
    rules = [rule("first", port(7)), *others, rule("last")]
    return layout_of([redirect("object", rules, interfaces=("lo",))], a_host(), interface="lo")


def _with(layout: Layout, *before: Rendered, last: Rendered | None = None) -> Layout:
    """The layout with other variants in front of the main program's, or instead of them."""
    *others, main = layout.programs
    variants = (*before, last) if last else (*before, *main.variants)
    main = replace(main, rendered=variants[0], fallbacks=tuple(variants[1:]))
    return replace(layout, programs=(*others, main))


def _broken(layout: Layout, statement: str) -> Rendered:
    config = dict(layout.programs[-1].rendered)["config.h"]
    return (("config.h", config), ("rules.h", statement + "\n"))


def _too_large(layout: Layout) -> Rendered:
    """More stack than there is."""
    return _broken(layout, 'char room[600]; asm volatile("" : : "r"(room) : "memory");')


def _unprovable(layout: Layout) -> Rendered:
    """A read beyond struct xdp_md."""
    return _broken(layout, "return ((int *)ctx)[100];")


def test_small_programs_begin_on_the_stack_and_end_in_the_map() -> None:
    main = _layout().programs[-1]
    configs = [dict(variant)["config.h"] for variant in main.variants]
    assert ["MAP_SCRATCH" in config for config in configs] == [False, True]


def test_the_last_variant_shares_long_code() -> None:
    layout = _layout(
        rule("away", port(9), Route()), rule("spread", port(8), CPUs(set=(Range(0, 1),)))
    )
    *_, before, last = (dict(variant)["config.h"] for variant in layout.programs[-1].variants)
    assert "_ONCE" not in before
    assert "FLOW_ONCE" in last
    assert "ROUTE_ONCE" in last


def test_refused_variants_are_passed_over() -> None:
    layout = _layout()
    layout = _with(layout, _too_large(layout), _unprovable(layout))
    with loaded_layout(layout) as program:
        assert program.run(FRAME).verdict == DROP


def test_every_variant_loads_by_itself() -> None:
    layout = _layout()
    for variant in layout.programs[-1].variants:
        with loaded_layout(_with(layout, last=variant)) as program:
            assert program.run(FRAME).verdict == DROP


def test_the_last_refusal_is_reported() -> None:
    layout = _layout()
    too_large, unprovable = _too_large(layout), _unprovable(layout)
    with pytest.raises(VerifierError), loaded_layout(_with(layout, too_large, last=unprovable)):
        pass
    with pytest.raises(CompileError), loaded_layout(_with(layout, unprovable, last=too_large)):
        pass
