"""Programs compiled and loaded: the first of a program's variants that the kernel takes.

Called by `agent.act`; the variants come from `datapath.assemble`, the fastest first.
"""

from collections.abc import Mapping

from xdpredirect.datapath.pieces import ProgramWanted
from xdpredirect.datapath.source import flatten
from xdpredirect.errors import CompileError, VerifierError
from xdpredirect.kernel.compile import Compiler, relocate
from xdpredirect.kernel.programs import AttachType, load_program

_KINDS = {
    "redirect": AttachType.XDP,
    "cpumap": AttachType.CPUMAP,
    "egress": AttachType.DEVMAP,
}


def load_variants(
    program: ProgramWanted,
    compiler: Compiler,
    sources: Mapping[str, str],
    maps_and_frags: tuple[Mapping[int, int], bool],
) -> int:
    """Descriptor of the first variant of a program that compiler and verifier take. The maps are
    descriptors by map number. Raises the CompileError or VerifierError of the last variant."""
    fds, frags = maps_and_frags
    *earlier, last = program.variants

    def load(rendered: tuple[tuple[str, str], ...]) -> int:
        source = flatten(f"{program.kind}.c", {**sources, **dict(rendered)})
        code = relocate(compiler.instructions(source, program.kind), fds)
        return load_program(f"xr_{program.name[:8]}", code, _KINDS[program.kind], frags)

    for rendered in earlier:
        try:
            return load(rendered)
        except (CompileError, VerifierError):
            continue
    return load(last)
