"""From an exception to words on standard error and an exit code.

Called by `cli.main`. The codes are part of the interface; docs/cli.md and --help list them.
"""

import errno
import os
import sys
from collections.abc import Callable

import click

from xdpredirect.errors import InvalidInput, Locked, XdpRedirectError

DONE, FAILED, INVALID, AT_RISK, LOCKED, INTERRUPTED = 0, 1, 2, 3, 4, 130

EXIT_CODES = """\b
Exit codes:
  0  done
  1  the kernel or the agent failed; what failed is said in words
  2  invalid input, one line per error; nothing was touched
  3  done, but an object is Degraded or Stalled (only with --strict)
  4  another process owns this state or bpffs directory
"""


def run(command: Callable[[], object]) -> int:
    """Run a command and return its exit code; every error becomes one line or more."""
    try:
        result = command()
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        error.show()
        return INVALID
    except InvalidInput as error:
        for problem in error.problems:
            say(problem)
        return INVALID
    except Locked as error:
        say(f"error: {error}")
        return LOCKED
    except BrokenPipeError:
        # The reader of our output left (`| head`); the interpreter must not flush into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (XdpRedirectError, OSError) as error:
        say(f"error: {_words(error)}")
        return FAILED
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    return result if isinstance(result, int) else DONE


def say(line: str) -> None:
    """One line to standard error."""
    click.echo(line, err=True)


def _words(error: Exception) -> str:
    refused = isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EACCES)
    if refused and os.geteuid() != 0:
        return f"{error}; run it as root (sudo)"
    return str(error)
