"""How many instructions of the processor a warm GET takes, counted by valgrind: as exact as calls are.

The client runs twice, with few requests and with many, and what lies between is what the further requests
took; the server is a process of its own, which is not counted. Nothing is held to it: it differs from one
build of Python to the next.
"""

import re
import shutil
import sys

from benchmarks.embedded import EmbeddedServer
from benchmarks.errors import BenchmarkError
from benchmarks.process import last_words, run_to_end

# The first requests make what is made once; what is counted comes after them.
FEW = 100
MANY = 300

# valgrind takes about fifty times as long as the processor does, most of it for the import.
SECONDS = 300

_COUNT = re.compile(r"I\s+refs:\s+([\d,]+)")

# Written out here, so that the module that counts is no part of what is counted.
_PROGRAM = """
import gc, sys
import pystickyhttp
url, number = sys.argv[1], int(sys.argv[2])
with pystickyhttp.Session() as session:
    gc.disable()
    for _ in range(number):
        session.get(url).content
"""


def valgrind() -> str | None:
    return shutil.which("valgrind")


def count() -> int:
    """Instructions of one warm GET.

    Raises:
        BenchmarkError: there is no valgrind, or it has failed.
    """
    program = valgrind()
    if program is None:
        raise BenchmarkError("instructions are counted by valgrind, which is not here: install it")
    with EmbeddedServer(0.0) as server:
        url = server.url("http", delayed=False)
        few, many = (_instructions(program, url, number) for number in (FEW, MANY))
    return round((many - few) / (MANY - FEW))


def _instructions(program: str, url: str, number: int) -> int:
    # Where text is hashed by chance, dictionaries differ from one run to the next.
    command = ["env", "PYTHONHASHSEED=0", program, "--tool=cachegrind", "--cache-sim=no"]
    command += ["--cachegrind-out-file=/dev/null", sys.executable, "-c", _PROGRAM, url, str(number)]
    done = run_to_end(command, SECONDS)
    if done.returncode:
        raise BenchmarkError(f"valgrind has failed: {last_words(done)}")
    found = _COUNT.search(done.stderr)
    if found is None:
        raise BenchmarkError("valgrind has not said how many instructions there were")
    return int(found[1].replace(",", ""))
