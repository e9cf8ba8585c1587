"""The folder that holds the results."""

import os
from pathlib import Path

from benchmarks.errors import BenchmarkError

RESULTS = Path(__file__).resolve().parent / "results"


def make_folder(folder: Path) -> None:
    """Made before the measuring, so that minutes are not spent on figures that cannot be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError("it is not writable")
    except OSError as error:
        raise BenchmarkError(
            f"{folder} cannot hold the results ({error}); name another with --output"
        ) from error
