"""The command line: `python -m pystickyhttp`, and the script `pystickyhttp`.

One command sends a request; the other, `bench`, compares kept connections with fresh ones. Whatever a user
can do wrong, and whatever can fail on the way, ends in one line on standard error and a code of curl's.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module

from ..exceptions import InsecureRequestWarning, RequestException
from .arguments import PROGRAM, parse
from .failures import CommandError, Exit, code_of, line_of
from .terminal import Talk, harmless


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command.

    Args:
        arguments: the words behind the program's name; by default those of the process.

    Returns:
        The exit code.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        with _warnings_in_lines():
            return _carried_out(given)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return _left_alone()
    except CommandError as error:
        return _tell(error, error.code)
    except RequestException as error:
        return _tell(error, code_of(error))
    except OSError as error:  # such as of a terminal that goes away as it is asked
        return _tell(error, Exit.WRITE_FAILED)


def _carried_out(arguments: list[str]) -> int:
    try:
        if arguments[:1] == ["bench"]:
            # What only benchmarks need, and nothing else waits for.
            return int(import_module(".bench", __name__).main(arguments[1:]))
        options = parse(arguments)
    except SystemExit as leaving:  # help and version were shown
        return leaving.code if isinstance(leaving.code, int) else Exit.OK
    from .fetch import run  # --help and a wrong option need none of it

    return run(options)


@contextlib.contextmanager
def _warnings_in_lines() -> Iterator[None]:
    """Python shows a warning with the place in the program, which says nothing to who types a command."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        Talk().line(f"{PROGRAM}: warning: {harmless(str(message))}", "yellow")

    with warnings.catch_warnings():
        warnings.showwarning = show
        # Who gives --insecure knows.
        warnings.simplefilter("ignore", InsecureRequestWarning)
        yield


def _tell(error: BaseException, code: Exit) -> int:
    Talk().line(f"{PROGRAM}: {line_of(error)}")
    return code


def _left_alone() -> int:
    """Whoever read the output has left: end quietly, as programs do that the signal ends."""
    with contextlib.suppress(OSError, ValueError):
        # At its exit Python writes what is left in the buffer, and would complain.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    return Exit.PIPE_CLOSED
