"""The surroundings of a run: what must not bend the figures, and what belongs beside them."""

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

# Proxies would take the requests elsewhere. The files of certificates would replace the ones that the
# run names (requests lets REQUESTS_CA_BUNDLE override a session's verify). A key log writes a file in
# every TLS handshake, and a netrc adds a header to the requests of those libraries that read it. Without
# leave to write .pyc files every child would compile this package anew, and its peers were compiled by pip.
BENDING = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSLKEYLOGFILE",
    "NETRC",
    "PYTHONDONTWRITEBYTECODE",
)


def drop_bending_variables() -> None:
    """Drops them from this process and so from its children; proxies are also written in lower case."""
    for name in BENDING:
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)


@contextmanager
def processor_of_its_own() -> Iterator[list[int]]:
    """Keeps this process on one processor; yields the others, for the server (none: nobody is kept anywhere).

    Left to itself the system puts client and server now on one processor and now on two, and a warm GET
    takes twice as long on two: which client was lucky would decide the comparison. On two they always
    are as far apart as processes of one machine can be, as a client and its server are in the wild. On
    one they would be faster, but what a client does while the server works would count against it.
    """
    if sys.platform != "linux":
        yield []
        return
    allowed = os.sched_getaffinity(0)
    own, *others = sorted(allowed)
    if not others:
        yield []
        return
    os.sched_setaffinity(0, {own})
    try:
        yield others
    finally:
        os.sched_setaffinity(0, allowed)


def machine() -> dict[str, str | int | None]:
    # The first two numbers of the system's release; what follows is the name of somebody's build.
    release = ".".join(platform.release().split(".")[:2])
    return {
        "platform": f"{platform.system()} {release}, {platform.machine()}",
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _processor() -> str | None:
    """Its name, as far as the system tells."""
    with suppress(OSError):  # only Linux has it
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def described(here: Mapping[str, str | int | None]) -> str:
    """What `machine` tells, in a line."""
    processors = f"{here['cpus']} CPUs" + (f" ({here['processor']})" if here["processor"] else "")
    return f"{here['platform']}, {processors}, {here['python']}"


def numbered(packages: Mapping[str, str]) -> str:
    """The versions in a line."""
    return ", ".join(f"{name} {number}" for name, number in packages.items())


def versions(packages: list[str]) -> dict[str, str]:
    return {package: version(package) for package in packages}
