"""pystickyhttp itself."""

from typing import Any

import pystickyhttp
from benchmarks.client import TIMEOUT
from benchmarks.compare.peers.like_requests import OpenedLikeRequests, PeerLikeRequests
from pystickyhttp.adapters import HTTPAdapter


class StickyOpened(OpenedLikeRequests):
    def reconnect(self, url: str) -> bool:
        # RFC 9112, section 9.6: who says close gets no second request over that connection.
        answer = self._session.get(url, headers={"Connection": "close"}, timeout=TIMEOUT)
        _ = answer.content
        return bool(answer.tls.resumed)


class Sticky(PeerLikeRequests):
    errors = (pystickyhttp.RequestException, OSError)

    def opened(self, session: Any) -> StickyOpened:
        return StickyOpened(session)


PEER = Sticky(pystickyhttp, HTTPAdapter)
