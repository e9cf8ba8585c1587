"""niquests, which is only ever imported in an environment of its own."""

import niquests
from niquests.adapters import HTTPAdapter

from benchmarks.compare.peers.like_requests import PeerLikeRequests


class Niquests(PeerLikeRequests):
    errors = (niquests.RequestException, OSError)


PEER = Niquests(niquests, HTTPAdapter)
