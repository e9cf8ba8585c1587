"""An environment for niquests alone, since it takes the place of urllib3 where it is installed.

It stands in the folder of the results, where a later run finds it again, and `make clean` takes it away.
"""

import shutil
import sys
import venv
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.process import last_words, run_to_end

# Written last, so that an environment without it is one that was never finished.
COMPLETE = "complete"

# A slow network fetches half a dozen packages in it; none at all says so sooner.
SECONDS = 300


def python_with_niquests(results: Path) -> str:
    """The interpreter of that environment, which is made if it is not there.

    Raises:
        BenchmarkError: it can't be made. What there is of it was taken away again.
    """
    folder = results.resolve() / f"niquests-{sys.implementation.cache_tag}"
    python = str(folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    if (folder / COMPLETE).exists():
        return python
    try:
        venv.create(folder, clear=True)
        _fill(python)
        (folder / COMPLETE).touch()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return python


def _fill(python: str) -> None:
    # The pip of this environment fills it: one of its own would take longer than all the rest.
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "niquests"]
    done = run_to_end(install, SECONDS)
    if done.returncode:
        raise BenchmarkError(f"no environment for niquests ({last_words(done)}): leave out --niquests")
