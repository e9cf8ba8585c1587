"""The peers, a module for each, loaded by name: a machine need not have them all.

What they share is in `base`. Each is used as its own documentation shows it, with the same header fields and
the same limits of time, and reads each body whole.
"""

import importlib
from importlib.metadata import PackageNotFoundError, version

from benchmarks.compare.peers.base import Peer

# The name as tables show it, and the module here.
MODULES = {
    "bare h11 loop": "bare_h11",
    "pystickyhttp": "sticky",
    "requests": "requests_",
    "httpx": "httpx_",
    "urllib3": "urllib3_",
    "http.client": "http_client",
    "aiohttp": "aiohttp_",
    "pycurl": "pycurl_",
    "niquests": "niquests_",
}

BARE = "bare h11 loop"
OURS = "pystickyhttp"
# It takes the place of urllib3 wherever it is installed, so it is only ever met in an environment of its own.
NIQUESTS = "niquests"

# What they are distributed as, where it is anything that has a version of its own.
DISTRIBUTIONS = {name: name for name in MODULES if name not in (BARE, "http.client")} | {BARE: "h11"}


def load(name: str) -> Peer:
    """The peer of this name.

    Raises:
        ImportError: it is not installed.
    """
    module = importlib.import_module(f"{__name__}.{MODULES[name]}")
    peer: Peer = module.PEER
    return peer


def version_of(name: str) -> str | None:
    """The version of a peer in this environment; None where it is not there, or has none of its own."""
    try:
        return version(DISTRIBUTIONS[name])
    except (KeyError, PackageNotFoundError):
        return None
