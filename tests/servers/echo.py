"""A server that counts under load.

Many threads share one client, and afterwards the question is who got what: was any response handed to the
wrong caller, was any request delivered twice, how many connections did it take. So each request carries an
`X-Request-Id`, each response repeats it together with the body, and the server keeps the tally. It may also
close connections after some requests, announced or not, which is what a pool meets in real life.
"""

from __future__ import annotations

import collections
import json
import ssl

from tests.servers.scripted import Peer, ScriptedServer
from tests.servers.wire import Request, respond


class EchoServer(ScriptedServer):
    """Answers each request with JSON: id, method, target, body, and where it came in.

    `deliveries` counts how often each id arrived. With `requests_per_connection` the server closes a
    connection after so many responses, the last of which says so unless `announce_close` is False.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        requests_per_connection: int | None = None,
        announce_close: bool = True,
    ) -> None:
        super().__init__(self._converse, tls=tls)
        self._per_connection = requests_per_connection
        self._announce_close = announce_close

    @property
    def deliveries(self) -> collections.Counter[str]:
        return collections.Counter(request.header("X-Request-Id") or "" for request in list(self.requests))

    def _converse(self, peer: Peer) -> None:
        served = 0
        while (request := peer.read_request()) is not None:
            served += 1
            last = served == self._per_connection or request.asks_to_close
            answer = self._echo(request, served, says_close=last and self._announce_close)
            if not peer.try_send(answer) or last:
                break

    @staticmethod
    def _echo(request: Request, served: int, *, says_close: bool) -> bytes:
        seen = {
            "id": request.header("X-Request-Id"),
            "method": request.method,
            "target": request.target,
            "body": request.body.decode("latin-1"),
            "connection": request.connection,
            "request_on_connection": served,
        }
        headers = [("Content-Type", "application/json")]
        if says_close:
            headers.append(("Connection", "close"))
        return respond(json.dumps(seen), headers=headers)
