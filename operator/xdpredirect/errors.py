"""Every error the project raises on purpose.

XdpRedirectError
├── InvalidInput        an object or option is wrong; carries one line per problem (exit 2)
├── KernelError         a system call failed; carries operation and errno
│   └── ForeignProgram  somebody else's XDP program holds the hook
├── CompileError        clang refused the generated program: a defect of ours, never of the user
├── VerifierError       the kernel's verifier refused it; keeps the whole log
├── ApiError            the API server refused a request, or could not be reached
├── SocketRefused       the broker of AF_XDP sockets refused a client, or took a queue back
└── Locked              another process owns this bpffs or state directory
"""

import errno as _errno
import os

# The kernel's names where the standard library has another one, or none.
_NAMES = {95: "EOPNOTSUPP", 524: "ENOTSUPP"}


def errno_name(number: int) -> str:
    """`ENETDOWN` for 100; the number where it has no name."""
    return _NAMES.get(number) or _errno.errorcode.get(number, str(number))


class XdpRedirectError(Exception):
    """Base of all. `retry` says whether trying again without a change can help."""

    retry = False


class InvalidInput(XdpRedirectError):
    """`problems` holds one sentence each: field path, what is wrong, what to write instead."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class KernelError(XdpRedirectError):
    """A failed system call. `operation` says what was tried, in words."""

    retry = True

    def __init__(self, operation: str, errno: int, detail: str = "") -> None:
        name = errno_name(errno)
        text = "not supported" if errno == 524 else os.strerror(errno)
        super().__init__(f"{operation}: {name} ({text})" + (f": {detail}" if detail else ""))
        self.operation, self.errno, self.errno_name = operation, errno, name


class ForeignProgram(KernelError):
    """The XDP hook of `interface` belongs to program `prog_id`, which is not ours."""

    def __init__(self, interface: str, prog_id: int, name: str) -> None:
        super().__init__(
            f"attach to {interface}",
            _errno.EBUSY,
            f"program {prog_id} ({name or 'unnamed'}) holds the hook; "
            "detach it or select another interface",
        )
        self.interface, self.prog_id = interface, prog_id


class CompileError(XdpRedirectError):
    """The compiler's words are in the message."""


class VerifierError(XdpRedirectError):
    """`log` is the verifier's whole log; the message holds its last lines."""

    def __init__(self, program: str, errno: int, log: str) -> None:
        tail = "\n".join(log.strip().splitlines()[-8:])
        super().__init__(f"load {program}: {_errno.errorcode.get(errno, errno)}\n{tail}")
        self.log, self.errno = log, errno


class ApiError(XdpRedirectError):
    """A request to the API server that failed.

    `status` is the HTTP status, 0 when there was no answer; `reason` the server's CamelCase word
    such as NotFound, or Unreachable; `message` its sentence. `retry_after` is in seconds, 0 when
    the server did not say.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{message} ({reason}, {status})" if status else f"{message} ({reason})")
        self.status, self.reason, self.message = status, reason, message
        self.retry_after = retry_after
        # 401: the token may have been renewed since; 403: the role may be there in a moment.
        self.retry = status in (0, 401, 403, 408, 409, 429) or status >= 500


class SocketRefused(XdpRedirectError):
    """`reason` is a word of docs/protocol.md, `sentence` the broker's own."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(f"{sentence} ({reason})")
        self.reason, self.sentence = reason, sentence


class Locked(XdpRedirectError):
    """`owner` says who holds the lock."""

    def __init__(self, path: str, owner: str) -> None:
        super().__init__(f"{path} is held by {owner}; stop it or use another directory")
        self.owner = owner
