"""`python -m benchmarks.compare.contexts URL`: how many TLS contexts a first Session and its first GET make.

They are counted where all of them come from, so that it does not matter who makes them, or by which name.
"""

import json
import ssl
import sys
from typing import Any

made = 0
_new = ssl.SSLContext.__new__


def _counted(cls: Any, *arguments: Any, **named: Any) -> Any:
    global made
    made += 1
    return _new(cls, *arguments, **named)


def main(url: str) -> None:
    ssl.SSLContext.__new__ = _counted  # type: ignore[method-assign]
    import pystickyhttp  # to import it may make one, too

    with pystickyhttp.Session() as session:
        status = session.get(url).status_code
    print(json.dumps({"contexts": made, "status": status}))


if __name__ == "__main__":
    main(sys.argv[1])
