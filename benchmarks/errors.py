"""The one error that a run reports in a line instead of a traceback."""


class BenchmarkError(Exception):
    """The run cannot go on; the message says why and what to do about it."""
