"""One file of objects to documents or problems; never raises for what the file holds.

Called by `agent.store`. Full validation needs a JSON Schema and a CEL library, which would stay in
the memory of a long-lived agent; so it runs in a forked child that hands back plain documents.
"""

import json
import os
import sys
from pathlib import Path
from typing import cast

from xdpredirect.agent.files import Content
from xdpredirect.api.decode import decode_address_set, decode_redirect
from xdpredirect.errors import InvalidInput

_DECODERS = {"XdpRedirect": decode_redirect, "XdpAddressSet": decode_address_set}


def parse_stored(path: Path) -> Content:
    """A file that `Store` wrote: one JSON object, decoded to make sure that it can be."""
    try:
        document = json.loads(path.read_bytes())
        _DECODERS[document["kind"]](document)
    except FileNotFoundError:
        return Content((), ())
    except OSError as error:
        return Content((), (f"{path}: {error.strerror}; what was applied stays",))
    except InvalidInput as error:
        return Content((), tuple(f"{path}: {line}" for line in error.problems))
    except (ValueError, KeyError, TypeError):
        return Content((), (f"{path}: not an object of xdpredirect; apply it again",))
    return Content((document,), ())


def parse_checked(path: Path) -> Content:
    """A file that a person wrote: validated as an API server would, in a child process."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _answer(writer, path)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if status != 0 or not answer:
        return Content((), (f"{path}: the validator ended with status {status}",))
    value = json.loads(answer)
    documents = cast(list[dict[str, object]], value["documents"])
    return Content(tuple(documents), tuple(cast(list[str], value["problems"])))


def _answer(writer: int, path: Path) -> None:
    """In the child: write the outcome and end, running none of the parent's clean-up."""
    status = 1
    try:
        with open(writer, "wb") as pipe:
            pipe.write(json.dumps(_load(path)).encode())
        status = 0
    finally:
        os._exit(status)


def _load(path: Path) -> dict[str, object]:
    from xdpredirect.api.load import load_paths  # noqa: PLC0415 - only in the child

    try:
        return {"documents": load_paths([str(path)]).documents, "problems": []}
    except InvalidInput as error:
        return {"documents": [], "problems": error.problems}
