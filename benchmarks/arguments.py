"""What the command lines of the benchmarks have in common: numbers within bounds, refusals of one line."""

import argparse
import math
from collections.abc import Callable
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that refuses in one line."""

    def error(self, message: str) -> NoReturn:
        """One line instead of the usage, which is longer than what it has to say."""
        self.exit(2, f"{self.prog}: {message} (--help lists the options)\n")


def whole(unit: str, lowest: int, highest: int) -> Callable[[str], int]:
    """What reads a whole number within these bounds."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(_range(text, unit, lowest, highest, "a whole number"))
        return value

    return convert


def number(unit: str, lowest: float, highest: float) -> Callable[[str], float]:
    """What reads a number within these bounds."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(_range(text, unit, lowest, highest, "a number"))
        return value

    return convert


def _range(text: str, unit: str, lowest: float, highest: float, kind: str) -> str:
    return f"{text!r} should be {kind} from {lowest:.0f} to {highest:.0f} {unit}".rstrip()
