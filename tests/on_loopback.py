"""The command line in a process of its own, with a resolver that knows the hosts of the README alone.

    PLACES='{"httpbin.org:443": 12345}' python -m tests.on_loopback pystickyhttp https://httpbin.org/get
    PLACES=... python -m tests.on_loopback python -m pystickyhttp https://httpbin.org/get

Each place is a port on the loopback.
"""

from __future__ import annotations

import json
import os
import runpy
import sys

import pytest

from tests.test_readme import lead_to


def main() -> None:
    """Run the command that the arguments are."""
    program, *arguments = sys.argv[1:]
    if program == "python":
        assert arguments[:2] == ["-m", "pystickyhttp"], "another program of Python's"
        arguments = arguments[2:]
    sys.argv = ["pystickyhttp", *arguments]
    lead_to(json.loads(os.environ["PLACES"]), pytest.MonkeyPatch())
    runpy.run_module("pystickyhttp", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
