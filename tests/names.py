"""What the cases of a test are called."""

from __future__ import annotations

import re


def named(value: object) -> str:
    """A value as the id of a case: its repr without the address, which is another one in each process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
