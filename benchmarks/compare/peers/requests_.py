"""requests."""

import requests
from requests.adapters import HTTPAdapter

from benchmarks.compare.peers.like_requests import PeerLikeRequests


class Requests(PeerLikeRequests):
    errors = (requests.RequestException, OSError)


PEER = Requests(requests, HTTPAdapter)
