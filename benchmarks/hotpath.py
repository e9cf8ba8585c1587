"""`python -m benchmarks.hotpath`: how many calls a warm GET takes, which is exact where time is not.

They are counted by the interpreter itself (`sys.setprofile`), in a process of its own and against a server
on the loopback, once the connection is warm. How many calls of Python functions it may be stands in
`hot_path.json` beside this module, for each version of Python, since the versions count differently; a test
fails where there are more by over a tenth. `--write` writes down what there are now, for the version that
runs it, and how many instructions of the processor that is, where valgrind can count them: they and the calls
of C functions are shown, and held to nothing.
"""

import argparse
import gc
import json
import socket
import sys
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from benchmarks import instructions
from benchmarks.environment import drop_bending_variables
from benchmarks.errors import BenchmarkError
from benchmarks.process import last_words, run_to_end

NOTED = Path(__file__).resolve().parent / "hot_path.json"

THIS_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

# More by over a tenth is a regression: a patch release of Python moves the count by less.
GROWTH = 1.1

# After so many requests whatever is made once has been made.
WARM_UP = 50

# The least of so many is taken: a request whose answer came late may have looked for it once more.
REQUESTS = 20

# No count takes a tenth of it.
SECONDS = 60

ANSWER = (
    b"HTTP/1.1 200 OK\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Server: benchmark\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 18\r\n"
    b"\r\n"
    b'{"number": "4242"}'
)


@dataclass(frozen=True)
class Calls:
    python: int
    c: int


@dataclass(frozen=True)
class Noted:
    """Calls of Python functions, and instructions of the processor (None where nobody had valgrind)."""

    python_calls: int
    instructions: int | None


def count() -> Calls:
    """Counts in a process of its own, which nothing was imported into or patched in.

    Raises:
        BenchmarkError: that process has failed.
    """
    command = [sys.executable, "-m", "benchmarks.hotpath", "--child"]
    done = run_to_end(command, SECONDS)
    if done.returncode:
        raise BenchmarkError(f"the calls can't be counted: {last_words(done)}")
    return Calls(**json.loads(done.stdout))


def noted(file: Path = NOTED) -> dict[str, Noted]:
    """What was written down, by the version of Python."""
    if not file.exists():
        return {}
    return {version: Noted(**each) for version, each in json.loads(file.read_text(encoding="utf-8")).items()}


def note(now: Noted, file: Path = NOTED) -> None:
    """Writes it down for this version of Python, and leaves the others as they are."""
    kept = {version: asdict(each) for version, each in {**noted(file), THIS_VERSION: now}.items()}
    file.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def too_many(calls: int, written_down: int) -> bool:
    return calls > written_down * GROWTH


# --- in the process of its own


def _serve(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.recv(65536):  # the head of a request is far smaller, and leaves in one write
            connection.sendall(ANSWER)


def _count_here() -> Calls:
    import pystickyhttp  # of this process alone

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pystickyhttp.Session() as session:
            for _ in range(WARM_UP):
                _ = session.get(url).content
            # What the collector ends by itself would be counted with the request that it falls upon.
            gc.collect()
            gc.disable()
            counts = [_calls_of_one(session, url) for _ in range(REQUESTS)]
    return min(counts, key=lambda calls: (calls.python, calls.c))


def _calls_of_one(session: object, url: str) -> Calls:
    events: Counter[str] = Counter()

    def profile(frame: FrameType, event: str, argument: object) -> None:
        events[event] += 1

    get = session.get  # type: ignore[attr-defined]
    sys.setprofile(profile)
    try:
        _ = get(url).content
    finally:
        sys.setprofile(None)
    # The last call is the one that ends the counting.
    return Calls(python=events["call"], c=events["c_call"] - 1)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hotpath", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write what is counted into {NOTED.name}")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    drop_bending_variables()
    if options.child:
        print(json.dumps(asdict(_count_here())))
        return 0
    try:
        calls = count()
        now = Noted(calls.python, instructions.count() if instructions.valgrind() else None)
    except BenchmarkError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmark: interrupted", file=sys.stderr)
        return 130
    _show(now, calls, noted().get(THIS_VERSION))
    if options.write:
        note(now)
        print(f"this is written down in {NOTED.name} now")
    return 0


def _show(now: Noted, calls: Calls, before: Noted | None) -> None:
    counted = "none" if now.instructions is None else f"{now.instructions:,}"
    print(f"a warm GET on Python {THIS_VERSION}:")
    print(f"calls of Python functions: {now.python_calls}")
    print(f"calls of C functions: {calls.c}")
    print(f"instructions, by valgrind: {counted}")
    print(f"written down: {before or 'nothing'}")


if __name__ == "__main__":
    sys.exit(main())
